{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_lingokids_periods_changed',
        changed_key = '(grain, period_start_date)',
        changed_key_in_log = 'grain, period_start_date',
    )
}}

{% set periods = {
    'day': ('engagement_daily', 'event_date'),
    'week': ('engagement_weekly', 'week_start_date'),
    'month': ('engagement_monthly', 'month_start_date'),
    'year': ('engagement_yearly', 'year_start_date'),
} %}

-- depends_on: {{ ref('int_lingokids_periods_changed') }}
with

activities as (

    select * from {{ ref('int_lingokids_activities_latest') }}
    where is_known

),

plays_by_period as (

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
        {% if is_incremental() %}
            where {{ period_start_date }} in (
                select changed.period_start_date from {{ changed_keys() }} as changed
                where changed.grain = '{{ grain }}'
            )
        {% endif %}
        group by {{ period_start_date }}, activity_id
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

ranked as (

    select
        cast(plays_by_period.grain as string) as grain,
        cast(plays_by_period.period_start_date as date) as period_start_date,
        cast(plays_by_period.activity_id as string) as activity_id,
        cast(
            coalesce(activities.activity_name, plays_by_period.activity_id) as string
        ) as activity_name,
        cast(coalesce(activities.activity_type, 'unknown') as string) as activity_type,
        cast(plays_by_period.plays as bigint) as plays,
        cast(plays_by_period.completed_plays as bigint) as completed_plays,
        cast(plays_by_period.duration_ms as bigint) as duration_ms,
        cast(plays_by_period.played_ms as bigint) as played_ms,
        cast(rank() over by_plays as bigint) as rank_by_plays,
        cast(rank() over by_duration as bigint) as rank_by_duration,
        cast(rank() over by_played_time as bigint) as rank_by_played_time

    from plays_by_period
    left join activities on plays_by_period.activity_id = activities.activity_id
    window
        by_plays as (
            partition by plays_by_period.grain, plays_by_period.period_start_date
            order by plays_by_period.plays desc
        ),
        by_duration as (
            partition by plays_by_period.grain, plays_by_period.period_start_date
            order by plays_by_period.duration_ms desc
        ),
        by_played_time as (
            partition by plays_by_period.grain, plays_by_period.period_start_date
            order by plays_by_period.played_ms desc
        )

)

select * from ranked
