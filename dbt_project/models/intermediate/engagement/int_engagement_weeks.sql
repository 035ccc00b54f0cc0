-- The weeks of each source, and how much of each was observed. Every week from a source's first one
-- to the newest of all sources has a row, even one in which nothing happened.
with

user_weeks as (

    select * from {{ ref('int_engagement_user_weeks') }}

),

days_observed as (

    select
        *,
        {{ period_start('week', 'observed_date') }} as week_start_date

    from {{ ref('int_engagement_days_observed') }}

),

sources_loaded as (

    select
        source,
        min(week_start_date) as first_week,
        max(newest_loaded_at) as newest_loaded_at

    from days_observed
    group by source

),

sources_engaged as (

    select
        source,
        min(week_start_date) as first_week

    from user_weeks
    group by source

),

sources as (

    select
        sources_loaded.newest_loaded_at,
        coalesce(sources_loaded.source, sources_engaged.source) as source,
        least(sources_loaded.first_week, sources_engaged.first_week) as first_week

    from sources_loaded
    full outer join sources_engaged on sources_loaded.source = sources_engaged.source

),

-- Nobody was active after the newest load: a later date comes from a wrong clock of a device.
last_weeks as (

    select
        sources.source,
        max(user_weeks.week_start_date) as last_week

    from sources
    inner join user_weeks on sources.source = user_weeks.source
    where
        sources.newest_loaded_at is null
        or user_weeks.week_start_date <= sources.newest_loaded_at
    group by sources.source

),

-- A source whose loads fail still has the newest weeks, with no day observed in them.
newest_week_observed as (

    select max(week_start_date) as last_week from days_observed

),

weeks_generated as (

    select
        sources.source,
        sources.newest_loaded_at,
        {{ each_week(
            'sources.first_week', 'greatest(last_weeks.last_week, newest_week_observed.last_week)'
        ) }} as week_start_date

    from sources
    left join last_weeks on sources.source = last_weeks.source
    cross join newest_week_observed

),

weeks as (

    select
        source,
        newest_loaded_at,
        cast(week_start_date as date) as week_start_date

    from weeks_generated

),

-- A day that was loaded before it was over may be incomplete.
weeks_observed as (

    select
        source,
        week_start_date,
        count(*) as days_observed,
        count_if(newest_loaded_at >= observed_date + interval '1' day) as days_observed_whole,
        max(newest_loaded_at) as newest_input_at

    from days_observed
    group by
        source,
        week_start_date

),

final as (

    select
        ---------- ids
        cast(weeks.source as string) as source,
        cast(weeks.week_start_date as date) as week_start_date,

        ---------- numerics
        cast(coalesce(weeks_observed.days_observed, 0) as bigint) as days_observed,
        cast(coalesce(weeks_observed.days_observed_whole, 0) as bigint) as days_observed_whole,

        ---------- timestamps
        cast(weeks_observed.newest_input_at as timestamp) as newest_input_at,
        cast(weeks.newest_loaded_at as timestamp) as newest_loaded_at

    from weeks
    left join weeks_observed
        on
            weeks.source = weeks_observed.source
            and weeks.week_start_date = weeks_observed.week_start_date

)

select * from final
