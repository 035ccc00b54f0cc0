-- Guards the ranking: in each period, an activity is ranked by all of its plays and of its time.
{% set periods = {
    'day': ('engagement_daily', 'event_date'),
    'week': ('engagement_weekly', 'week_start_date'),
    'month': ('engagement_monthly', 'month_start_date'),
    'year': ('engagement_yearly', 'year_start_date'),
} %}
with

expected as (

    {% for grain, (engagement, period_start_date) in periods.items() %}
        select
            '{{ grain }}' as grain,
            {{ period_start_date }} as period_start_date,
            activity_id,
            sum(plays) as plays,
            sum(completed_plays) as completed_plays,
            sum(duration_ms) as duration_ms,
            sum(played_ms) as played_ms

        from {{ ref(engagement) }}
        group by {{ period_start_date }}, activity_id
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

ranked as (

    select
        grain,
        period_start_date,
        activity_id,
        sum(plays) as plays,
        sum(completed_plays) as completed_plays,
        sum(duration_ms) as duration_ms,
        sum(played_ms) as played_ms

    from {{ ref('top_activities') }}
    group by grain, period_start_date, activity_id

)

select
    ranked.plays,
    expected.plays as expected_plays,
    coalesce(ranked.grain, expected.grain) as grain,
    coalesce(ranked.period_start_date, expected.period_start_date) as period_start_date,
    coalesce(ranked.activity_id, expected.activity_id) as activity_id

from ranked
full outer join expected
    on
        ranked.grain = expected.grain
        and ranked.period_start_date = expected.period_start_date
        and ranked.activity_id = expected.activity_id
where
    ranked.plays is distinct from expected.plays
    or ranked.completed_plays is distinct from expected.completed_plays
    or ranked.duration_ms is distinct from expected.duration_ms
    or ranked.played_ms is distinct from expected.played_ms
