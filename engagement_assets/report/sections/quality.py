"""Data quality: checks, freshness, quarantine by reason, alerts, loads.

Belongs here: figures about the schema `audit`, checks and alerts. Not here: reading checks and alerts
(`checks_and_alerts.py`). Quarantined records are counted by reason; their text is never shown.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

import altair as alt
import duckdb
import pandas as pd

from engagement_assets.alerts.history import AlertState
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts, CheckState
from engagement_assets.report.figures import (
    AnyChart,
    Column,
    Figure,
    Filter,
    Section,
    options_of,
    source_names,
)
from engagement_assets.report.sections.quality_states import days, outcomes
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import MEASURE, PARTS, STATES, colour, rows, source_colour, tip
from engagement_assets.report.transforms import calculate, dataset, fold, keep_chosen, label, span, sums

# The page shows this many days of loads; `audit.ingestion_loads` has all.
LOAD_DAYS = 400
# Tables with counts of records.
RECORD_COUNTS = ("quarantine", "loads", "held")
# A state in words and with a sign, for those to whom its colour says nothing.
SIGNS = {"passed": "✓\u00a0passed", "warned": "!\u00a0warned", "failed": "✕\u00a0failed", "not run": "·\u00a0not run"}
RECORDS = {"quarantined": PARTS[0], "duplicates": PARTS[2], "accepted": PARTS[3]}


def quality(
    connection: duckdb.DuckDBPyConnection,
    suppression: Suppression | None,
    titles: Mapping[str, str],
    states: ChecksAndAlerts,
    now: datetime | None = None,
) -> Section:
    """The section; publish mode has no counts of records, since few records are about few users.

    Freshness is judged against `now`, by default this moment.
    """
    loads = connection.execute(
        f"""
        with newest as (
            select * from audit.ingestion_loads where partition_date is not null
            qualify row_number() over (
                partition by source, dataset, partition_date order by loaded_at desc, load_id
            ) = 1
        )
        select source, cast(partition_date as varchar) as day, cast(sum(accepted) as bigint) as accepted,
            cast(sum(quarantined) as bigint) as quarantined, cast(sum(duplicates) as bigint) as duplicates
        from newest
        where partition_date > (select max(partition_date) from newest) - interval {LOAD_DAYS} day
        group by source, partition_date order by source, day
        """
    ).df()
    freshness = connection.execute(
        """
        with newest as (
            select source, dataset, max(partition_date) filter (where status = 'published') as newest_day,
                max(loaded_at) as newest_load_at,
                count(distinct partition_date) filter (where status = 'held') as days_ever_held
            from audit.ingestion_loads where partition_date is not null group by source, dataset
        )
        select source, dataset, cast(newest_day as varchar) as newest_day,
            greatest(date_diff('day', newest_day, cast($now as date)) - 1, 0) as days_behind,
            strftime(newest_load_at, '%Y-%m-%d %H:%M') as newest_load_at, days_ever_held
        from newest order by source, dataset
        """,
        {"now": now or datetime.now(UTC)},
    ).df()
    held = connection.execute(
        """
        select source, dataset, cast(partition_date as varchar) as held_day,
            strftime(held_since, '%Y-%m-%d %H:%M') as held_since, failed_checks, accepted, quarantined
        from audit.held_days order by source, dataset, partition_date
        """
    ).df()
    quarantine = connection.execute(
        """
        select source, dataset, reason_code, count(*) as records
        from audit.rejected_records group by all order by all
        """
    ).df()
    checks = _frame(states.checks, CheckState, ["evaluated_at"])
    checks["area"] = checks["asset"].str.split("/").str[0]
    alerts = _frame(states.alerts or (), AlertState, ["since", "until"])
    tables = {
        "checks": checks,
        "freshness": freshness,
        "quarantine": quarantine,
        "alerts": alerts,
        "loads": loads,
        "held": held,
    }
    names = source_names((*freshness["source"], *quarantine["source"]), titles)
    dataflow, figures = _dataflow(names), _figures(names)
    notes = []
    if states.alerts is None:
        notes.append("The alerts cannot be read; the check alerts_are_delivered says why.")
    if suppression:
        tables = {name: table for name, table in tables.items() if name not in RECORD_COUNTS}
        tables["checks"] = checks.assign(failing_rows=None)
        dataflow = tuple(each for each in dataflow if each["source"] in tables)
        figures = tuple(each for each in figures if each.dataset in {flow["name"] for flow in dataflow})
        notes.append("Publish mode leaves out counts of records, since few records are about few users.")
    return Section(
        name="quality",
        title="Data quality",
        intro="What was checked, how fresh the data is, and which records were quarantined.",
        tables=tables,
        filters=(
            Filter("source", "Source", (("", "all"), *names.items())),
            Filter("area", "Area of checks", options_of(checks["area"], "all")),
            Filter("state", "State of checks", (("", "all"), *SIGNS.items())),
        ),
        dataflow=dataflow,
        figures=figures,
        notes=tuple(notes),
        tiles=(*outcomes(checks, alerts, are_read=states.alerts is not None), *days(freshness, held)),
    )


def _frame(states: tuple[CheckState, ...] | tuple[AlertState, ...], kind: type, instants: list[str]) -> pd.DataFrame:
    """One row per state, with instants to the minute."""
    columns = [field.name for field in dataclasses.fields(kind)]
    frame = pd.DataFrame([dataclasses.astuple(state) for state in states], columns=columns)
    for instant in instants:
        frame[instant] = frame[instant].str.slice(0, 16).str.replace("T", " ")
    return frame


ORDER = "indexof(['failed', 'warned', 'not run', 'passed'], datum.state)"


def _dataflow(names: Mapping[str, str]) -> tuple[dict[str, object], ...]:
    chosen = keep_chosen("source")
    return (
        dataset(
            "checks_by_area",
            "checks",
            keep_chosen("area"),
            keep_chosen("state"),
            calculate("checks", "1"),
            sums(["area", "state"], ["checks"]),
            label("state", SIGNS, "state_name"),
            calculate("order", ORDER),
        ),
        # Checks that need attention come first.
        dataset(
            "every_check",
            "checks",
            keep_chosen("area"),
            keep_chosen("state"),
            label("state", SIGNS, "state_name"),
            calculate("order", ORDER),
            {"type": "collect", "sort": {"field": ["order", "asset", "check"]}},
        ),
        dataset("fresh", "freshness", chosen, calculate("name", "datum.source + ' / ' + datum.dataset")),
        dataset(
            "reasons",
            "quarantine",
            chosen,
            sums(["source", "reason_code"], ["records"]),
            label("source", names, "source_name"),
        ),
        dataset(
            "all_alerts",
            "alerts",
            calculate("order", "indexof(['open', 'not run', 'resolved'], datum.state)"),
            {"type": "collect", "sort": {"field": ["order", "since"], "order": ["ascending", "descending"]}},
        ),
        dataset(
            "records_by_day",
            "loads",
            chosen,
            sums(["day"], list(RECORDS)),
            fold(list(RECORDS), "part", "records"),
            *span("day", "'day'"),
        ),
        dataset("held_days", "held", chosen),
    )


def _figures(names: Mapping[str, str]) -> tuple[Figure, ...]:
    return (
        Figure(
            "checks",
            "Checks by area",
            "The newest completed evaluation of every check. A check fails or warns as long as its alert is open.",
            "checks_by_area",
            (Column("area", "Area"), Column("state_name", "State"), Column("checks", "Checks", "integer")),
            rows()
            .mark_bar(height={"band": 0.75}, stroke="var(--edge)", strokeWidth=0.8)
            .encode(
                y=alt.Y("area:N", axis=alt.Axis(title=None)),
                x=alt.X("checks:Q", axis=alt.Axis(title="checks", tickCount=5)),
                color=colour("state_name", list(SIGNS.values()), list(STATES.values()), beside_names=True),
                # The gravest state is at the beginning, where it is seen however short it is.
                order=alt.Order("order:Q"),
                tooltip=[tip("area", "area"), tip("state_name", "state"), tip("checks", "checks", ",")],
            )
            .properties(height=alt.Step(24)),
            empty="No check is in this state.",
            of_now=True,
        ),
        Figure(
            "quarantine",
            "Quarantine by reason",
            "Records that could not be used; audit.rejected_records says of each what was wrong.",
            "reasons",
            (Column("source_name", "Source"), Column("reason_code", "Reason"), Column("records", "Records", "integer")),
            rows()
            .mark_bar(height={"band": 0.75})
            .encode(
                y=alt.Y("reason_code:N", sort="-x", axis=alt.Axis(title=None)),
                x=alt.X("records:Q", axis=alt.Axis(title="records", tickCount=5, tickMinStep=1)),
                color=source_colour("source_name", names, beside_names=True),
                tooltip=[tip("source_name", "source"), tip("reason_code", "reason"), tip("records", "records", ",")],
            )
            .properties(height=alt.Step(24)),
            mart="audit.rejected_records",
            empty="No record is in quarantine.",
        ),
        Figure(
            "freshness",
            "Freshness",
            "How many days the newest published day of each dataset was behind yesterday, the newest day that can be "
            "whole, when this page was written.",
            "fresh",
            (
                Column("source", "Source"),
                Column("dataset", "Dataset"),
                Column("newest_day", "Newest day"),
                Column("days_behind", "Days behind", "integer"),
                Column("newest_load_at", "Newest load (UTC)"),
                Column("days_ever_held", "Days ever held", "integer"),
            ),
            _freshness(),
            mart="audit.ingestion_loads",
            of_now=True,
        ),
        Figure(
            "loads",
            "Records read by day",
            "What happened to the records of each day in its newest load.",
            "records_by_day",
            (Column("day", "Day"), Column("part", "Records"), Column("records", "Count", "integer")),
            rows()
            .mark_bar(orient="vertical")
            .encode(
                x=alt.X(
                    "at:T",
                    scale=alt.Scale(type="utc"),
                    axis=alt.Axis(title=None, format="%-d %b %y", grid=False, tickCount=6),
                ),
                x2=alt.X2("until:T"),
                y=alt.Y("records:Q", axis=alt.Axis(title="records", tickCount=5)),
                color=colour("part", list(RECORDS), list(RECORDS.values())),
                tooltip=[tip("day", "day"), tip("part", "records"), tip("records", "count", ",")],
            ),
            mart="audit.ingestion_loads",
        ),
        Figure(
            "alerts",
            "Alerts",
            "What is failing now, what was resolved, and checks that a run planned and never evaluated. An alert is "
            "open until each day that failed has passed.",
            "all_alerts",
            (
                Column("state", "State"),
                Column("severity", "Severity"),
                Column("asset", "Asset"),
                Column("name", "Check"),
                Column("since", "Since (UTC)"),
                Column("until", "Until (UTC)"),
                Column("times_failed", "Times failed", "integer"),
                Column("failing_days", "Failing days"),
            ),
            is_list=True,
            of_now=True,
            empty="No alert was ever opened.",
        ),
        Figure(
            "every_check",
            "All checks",
            "Failing ones first.",
            "every_check",
            (
                Column("asset", "Asset"),
                Column("check", "Check"),
                Column("state_name", "State"),
                Column("evaluated_at", "Evaluated (UTC)"),
                Column("failing_rows", "Failing rows", "integer"),
                Column("failing_days", "Failing days"),
            ),
            is_list=True,
            of_now=True,
            empty="No check is in this state.",
        ),
        Figure(
            "held_days",
            "Held days",
            "Days that failed a blocking check; the lake keeps their last good load until a load passes or somebody "
            "releases the day.",
            "held_days",
            (
                Column("source", "Source"),
                Column("dataset", "Dataset"),
                Column("held_day", "Day"),
                Column("held_since", "Held since (UTC)"),
                Column("failed_checks", "Failed checks"),
                Column("accepted", "Accepted", "integer"),
                Column("quarantined", "Quarantined", "integer"),
            ),
            is_list=True,
            of_now=True,
            empty="No day is held.",
        ),
    )


def _freshness() -> AnyChart:
    base = rows().encode(
        y=alt.Y("name:N", axis=alt.Axis(title=None)),
        x=alt.X(
            "days_behind:Q",
            scale=alt.Scale(domain=[0, alt.ExprRef("max(7, extent(pluck(data('rows'), 'days_behind'))[1])")]),
            axis=alt.Axis(title="days behind", tickMinStep=1, tickCount=5),
        ),
    )
    bars = base.mark_bar(fill=MEASURE, height={"band": 0.7}).encode(
        tooltip=[tip("name", "dataset"), tip("newest_day", "newest day"), tip("days_behind", "days behind", "d")]
    )
    texts = base.mark_text(align="left", dx=4).encode(text=alt.Text("newest_day:N"))
    return alt.layer(bars, texts).properties(height=alt.Step(28))
