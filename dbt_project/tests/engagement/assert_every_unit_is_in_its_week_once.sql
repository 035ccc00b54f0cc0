-- Guards the weeks against units that are lost or counted twice on the way: a week that was not
-- rebuilt, or rows that were left behind. Units dated after the newest load are in no week.
with

weeks as (

    select * from {{ ref('weekly_engagement') }}

),

units_summed as (

    select
        source,
        {{ period_start('week', 'active_date') }} as week_start_date,
        count(*) as engagement_units,
        coalesce(sum(engaged_ms), 0) as engaged_ms

    from {{ ref('int_engagement_units') }}
    group by
        source,
        {{ period_start('week', 'active_date') }}

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
        units_summed.source,
        units_summed.week_start_date,
        units_summed.engagement_units,
        units_summed.engaged_ms

    from units_summed
    left join sources on units_summed.source = sources.source
    where
        units_summed.week_start_date is not null
        and (
            sources.newest_loaded_at is null
            or units_summed.week_start_date <= sources.newest_loaded_at
        )

),

undated as (

    select
        source,
        engagement_units

    from units_summed
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
