{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_lingokids_periods_changed',
        changed_key = '(grain, period_start_date)',
        changed_key_in_log = 'grain, period_start_date',
    )
}}

{% set dimensions = [
    'country_code',
    'os_name',
    'os_version',
    'app_version',
    'subscription_status',
    'activity_type',
    'collection_id',
] %}

-- depends_on: {{ ref('int_lingokids_days_changed') }}
-- depends_on: {{ ref('int_lingokids_periods_changed') }}
with

-- The log has every day with events. The days of the changed periods are looked up there, so that
-- no other days are read.
exits_by_period as (

    {% for grain in ['day', 'week', 'month', 'year'] %}
        select distinct
            '{{ grain }}' as grain,
            {{ period_start(grain, 'event_date') }} as period_start_date,
            user_id,
            {{ dimensions | join(',\n            ') }}

        from {{ ref('fct__activity_exits') }}
        {% if is_incremental() %}
            where event_date in (
                select days.event_date from {{ ref('int_lingokids_days_changed') }} as days
                inner join {{ changed_keys() }} as changed
                    on {{ period_start(grain, 'days.event_date') }} = changed.period_start_date
                where changed.grain = '{{ grain }}'
            )
        {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

users_counted as (

    select
        grain,
        period_start_date,
        'all' as dimension_name,
        'all' as dimension_value,
        count(distinct user_id) as active_users

    from exits_by_period
    group by grain, period_start_date
    {% for dimension in dimensions %}

        union all

        select
            grain,
            period_start_date,
            '{{ dimension }}' as dimension_name,
            {{ dimension }} as dimension_value,
            count(distinct user_id) as active_users

        from exits_by_period
        group by grain, period_start_date, {{ dimension }}
    {% endfor %}

),

active_users as (

    select
        cast(grain as string) as grain,
        cast(period_start_date as date) as period_start_date,
        cast(dimension_name as string) as dimension_name,
        cast(dimension_value as string) as dimension_value,
        cast(active_users as bigint) as active_users

    from users_counted

)

select * from active_users
