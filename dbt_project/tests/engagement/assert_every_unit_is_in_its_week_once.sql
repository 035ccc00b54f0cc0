-- Guards the weeks against units lost or doubled on the way: weeks not rebuilt, rows left
-- behind. Units dated after the newest load are in no week.
{% set facts = {
    'runna': ('fct__activities', 'activity_date', 'moving_time_ms', 'true'),
    'strava': (
        'fct__strava_activities', 'activity_date', 'moving_time_s * 1000', 'not is_deleted'
    ),
    'user_events': ('fct__user_events', 'event_date', 'null', 'true'),
    'mobile': ('fct__mobile_sessions', 'session_date', 'duration_ms', 'true'),
    'lingokids': ('fct__activity_exits', 'event_date', 'played_ms', 'true'),
} %}
{% set columns = {
    'activity_date': 'date',
    'event_date': 'date',
    'session_date': 'date',
    'moving_time_ms': 'bigint',
    'moving_time_s': 'bigint',
    'duration_ms': 'bigint',
    'played_ms': 'bigint',
    'is_deleted': 'boolean',
} %}
with

weeks as (

    select * from {{ ref('weekly_engagement') }}

),

facts_summed as (

    {% for source, (fact, day, engaged_ms, condition) in facts.items() %}
        select
            '{{ source }}' as source,
            {{ period_start('week', day) }} as week_start_date,
            count(*) as engagement_units,
            coalesce(sum({{ engaged_ms }}), 0) as engaged_ms

        from {{ table_or_nothing(ref(fact), columns) }}
        where {{ condition }}
        group by {{ period_start('week', day) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

sources as (

    select
        source,
        max(undated_units) as undated_units,
        max(computed_at) as newest_loaded_at

    from weeks
    group by source

),

expected as (

    select
        facts_summed.source,
        facts_summed.week_start_date,
        facts_summed.engagement_units,
        facts_summed.engaged_ms

    from facts_summed
    left join sources on facts_summed.source = sources.source
    where
        facts_summed.week_start_date is not null
        and (
            sources.newest_loaded_at is null
            or facts_summed.week_start_date <= sources.newest_loaded_at
        )

),

undated as (

    select
        source,
        engagement_units

    from facts_summed
    where week_start_date is null

)

select
    weeks.engagement_units,
    weeks.engaged_ms,
    expected.engagement_units as expected_engagement_units,
    expected.engaged_ms as expected_engaged_ms,
    coalesce(weeks.source, expected.source) as source,
    coalesce(weeks.week_start_date, expected.week_start_date) as week_start_date

from weeks
full outer join expected
    on
        weeks.source = expected.source
        and weeks.week_start_date = expected.week_start_date
where
    coalesce(weeks.engagement_units, 0) <> coalesce(expected.engagement_units, 0)
    or coalesce(weeks.engaged_ms, 0) <> coalesce(expected.engaged_ms, 0)

union all

select
    sources.undated_units as engagement_units,
    cast(null as bigint) as engaged_ms,
    undated.engagement_units as expected_engagement_units,
    cast(null as bigint) as expected_engaged_ms,
    sources.source,
    cast(null as date) as week_start_date

from sources
left join undated on sources.source = undated.source
where sources.undated_units <> coalesce(undated.engagement_units, 0)
