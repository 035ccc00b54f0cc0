with

plays as (

    select
        event_id,
        event_date,
        country_code,
        {{ period_start('week', 'event_date') }} as week_start_date

    from {{ ref('fct__activity_exits') }}

),

children as (

    select
        event_id,
        event_date,
        child_id

    from {{ ref('stg_lingokids__events') }}

),

final as (

    select
        ---------- ids
        cast(plays.week_start_date as date) as week_start_date,
        cast(plays.country_code as string) as country_code,

        ---------- numerics
        cast(count(children.child_id) as bigint) as plays,
        cast(count(distinct children.child_id) as bigint) as active_children

    from plays
    inner join children
        on
            plays.event_id = children.event_id
            and plays.event_date = children.event_date
    group by
        plays.week_start_date,
        plays.country_code

)

select * from final
