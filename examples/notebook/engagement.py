# /// script
# requires-python = ">=3.11"
# dependencies = ["altair>=6.3", "duckdb>=1.4", "marimo>=0.25", "pandas>=3.0", "vl-convert-python>=1.9"]
# ///
"""A marimo notebook over the published tables: who is active, who books, who comes back.

`docs/using.md` says how to open it. As a script it writes its charts as pictures: `--published FILE --pictures FOLDER`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Engagement")


@app.cell
def _():
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    given = mo.cli_args()
    return Path, alt, duckdb, given, mo


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Engagement

    The tables hold both parts of a rate: add up each, then divide. Weeks begin on Monday, times are UTC.
    """)
    return


@app.cell
def _(duckdb, given):
    # Opened for this cell alone: a connection that stays open shows the tables as they were when it was opened.
    with duckdb.connect(given.get("published", "data/demo/published.duckdb"), read_only=True) as published:
        freshness = published.sql("""
            select schema_name as area, sum(row_count)::bigint as "rows", max(published_at) as published_at
            from audit.published_tables group by all order by all
        """).df()
        weekly = published.sql("""
            select source, week_start_date, active_users, new_users + resurrected_users as not_there_the_week_before
            from engagement.weekly_engagement where is_complete_week order by all
        """).df()
        funnel = published.sql("""
            select coalesce(zone, 'no zone') as zone, sum(sessions)::bigint as sessions,
                sum(searching_sessions)::bigint as searching, sum(searching_booked_sessions)::bigint as booked
            from mobility.weekly_booking_conversion group by all order by sessions desc
        """).df()
        plays = published.sql("""
            select week_start_date, activity_type, sum(plays)::bigint as plays,
                sum(completed_plays)::bigint as completed_plays
            from learning.engagement_weekly group by all order by all
        """).df()
        retention = published.sql("""
            select source, weeks_since, sum(cohort_size)::bigint as users, sum(active_users)::bigint as active_users
            from engagement.weekly_retention
            where is_complete_week and (source, cohort_week_start_date) in (
                select (source, week_start_date) from engagement.weekly_engagement where is_complete_week
            )
            group by all order by all
        """).df()
    return freshness, funnel, plays, retention, weekly


@app.cell
def _(freshness):
    freshness
    return


@app.cell
def _(alt, weekly):
    # One athlete is always one user.
    crowds = weekly[weekly["active_users"].groupby(weekly["source"]).transform("max") >= 5]
    users = (
        alt.Chart(crowds, width=250, height=130)
        .mark_line(point=True)
        .encode(
            x=alt.X("yearmonthdate(week_start_date):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0)),
            y=alt.Y("active_users:Q", title=None, axis=alt.Axis(tickCount=4), scale=alt.Scale(nice=4)),
            tooltip=["source", "week_start_date:T", "active_users", "not_there_the_week_before"],
        )
        .facet(facet=alt.Facet("source:N", title=None), columns=2)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
        .properties(title=alt.TitleParams("Active users by complete week", anchor="middle"))
    )
    users
    return crowds, users


@app.cell
def _(alt, plays):
    # A share of a few plays says nothing.
    rates = plays[plays["plays"] >= 30].assign(rate=lambda each: each["completed_plays"] / each["plays"])
    completion = (
        alt.Chart(rates, title="Plays that were completed, by type of activity", width=560, height=260)
        .mark_line(point=True)
        .encode(
            x=alt.X("yearmonthdate(week_start_date):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0)),
            y=alt.Y("rate:Q", title="share of plays", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
            color=alt.Color("activity_type:N", title=None),
            tooltip=["activity_type", "plays", "completed_plays", alt.Tooltip("rate", format=".1%")],
        )
    )
    completion
    return completion, rates


@app.cell
def _(alt, funnel):
    steps = funnel.melt("zone", ["sessions", "searching", "booked"], "step", "count")
    booking = (
        alt.Chart(steps, title="Sessions, those that looked for a scooter, and of these the booked ones", width=560)
        .mark_bar()
        .encode(
            x=alt.X("count:Q", title="sessions"),
            y=alt.Y("zone:N", title=None, sort="-x"),
            yOffset=alt.YOffset("step:N", sort=["sessions", "searching", "booked"]),
            color=alt.Color("step:N", title=None, sort=["sessions", "searching", "booked"]),
            tooltip=["zone", "step", "count"],
        )
    )
    booking
    return booking, steps


@app.cell
def _(alt, retention):
    # The curve of one athlete would be all or nothing.
    shares = retention[retention["users"] >= 5].assign(share=lambda each: each["active_users"] / each["users"])
    returns = (
        alt.Chart(shares, title="Users who are active again, by weeks since their first week", width=560, height=260)
        .mark_line(point=True)
        .encode(
            x=alt.X("weeks_since:O", title="weeks since", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("share:Q", title="share of users", axis=alt.Axis(format="%")),
            color=alt.Color("source:N", title=None),
            tooltip=["source", "weeks_since", "users", "active_users", alt.Tooltip("share", format=".1%")],
        )
    )
    returns
    return returns, shares


@app.cell
def _(Path, booking, completion, given, returns, users):
    charts = {"users": users, "completion": completion, "booking": booking, "returns": returns}
    if folder := given.get("pictures"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            chart.save(Path(folder) / f"{name}.png", scale_factor=2)
    return


if __name__ == "__main__":
    app.run()
