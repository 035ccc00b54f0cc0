{{ config(materialized = 'view') }}

{% set log_columns = {'event_date': 'date', 'session_date': 'date', 'change_number': 'bigint'} %}
with

runna_weeks as (

    select
        'runna' as source,
        week_start_date,
        change_number

    from {{ ref('int_engagement_activity_weeks') }}

),

-- Strava has no change log: its fact is small and built whole every time. So is what is made of it
-- here, which is what naming every week there can be amounts to.
strava_weeks_generated as (

    select {{ each_week("date '1969-12-29'", "date '2199-12-30'") }} as week_start_date

),

strava_weeks as (

    select
        'strava' as source,
        cast(week_start_date as date) as week_start_date,
        {{ next_change_number() }} as change_number

    from strava_weeks_generated

),

user_events_weeks as (

    select
        'user_events' as source,
        {{ period_start('week', 'event_date') }} as week_start_date,
        change_number

    from {{ table_or_nothing(ref('int_user_events_days_changed'), log_columns) }}

),

mobile_weeks as (

    select
        'mobile' as source,
        {{ period_start('week', 'session_date') }} as week_start_date,
        change_number

    from {{ table_or_nothing(ref('int_mobile_events_sessionized'), log_columns) }}

),

lingokids_weeks as (

    select
        'lingokids' as source,
        {{ period_start('week', 'event_date') }} as week_start_date,
        change_number

    from {{ table_or_nothing(ref('int_lingokids_days_changed'), log_columns) }}

),

weeks_changed as (

    select * from runna_weeks
    union all
    select * from strava_weeks
    union all
    select * from user_events_weeks
    union all
    select * from mobile_weeks
    union all
    select * from lingokids_weeks

)

select
    source,
    week_start_date,
    change_number

from weeks_changed
