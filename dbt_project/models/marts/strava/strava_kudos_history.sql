with

kudos as (

    select * from {{ ref('int_strava_kudos_observed') }}

),

kudos_beside_previous as (

    select
        *,
        lag(kudos_count) over (observations) as previous_kudos_count,
        lag(observed_on) over (observations) as previous_observed_on

    from kudos
    window observations as (partition by activity_id order by observed_on)

),

final as (

    select
        ---------- ids
        cast(activity_id as bigint) as activity_id,

        ---------- numerics
        cast(kudos_count as bigint) as kudos_count,
        cast(previous_kudos_count as bigint) as previous_kudos_count,
        cast(kudos_count - previous_kudos_count as bigint) as kudos_change,

        ---------- dates and timestamps
        cast(observed_on as date) as observed_on,
        cast(previous_observed_on as date) as previous_observed_on,
        cast(extracted_at as timestamp) as extracted_at

    from kudos_beside_previous

)

select * from final
