with

kudos as (

    select * from {{ ref('int_strava_kudos_observed') }}

),

-- What Strava no longer has is to be forgotten, and the model learns nothing from it.
existing as (

    select activity_id from {{ ref('int_strava_activities_latest') }}
    where deleted_at is null

),

-- Observations of old versions have no facts.
numbered_with_facts as (

    select
        kudos.*,
        cast(kudos.started_at as date) as activity_date,
        row_number() over (partition by kudos.activity_id order by kudos.observed_on)
            as position_with_facts

    from kudos
    inner join existing on kudos.activity_id = existing.activity_id
    where kudos.started_at is not null

),

first_observed as (

    select * from numbered_with_facts
    where position_with_facts = 1

),

numbered_settled as (

    select
        kudos.activity_id,
        kudos.kudos_count,
        kudos.observed_on,
        row_number() over (partition by kudos.activity_id order by kudos.observed_on)
            as position_settled

    from kudos
    inner join first_observed on kudos.activity_id = first_observed.activity_id
    where
        kudos.observed_on
        >= first_observed.activity_date + interval '{{ var("strava_kudos_settle_days") }}' day

),

settled as (

    select * from numbered_settled
    where position_settled = 1

),

-- Only what was known when the activity was seen first: one that was uploaded later is not.
previous as (

    select
        activities.activity_id,
        max(earlier.started_at) as previous_started_at

    from first_observed as activities
    inner join first_observed as earlier
        on
            activities.started_at > earlier.started_at
            and activities.started_at <= earlier.started_at + interval '28' day
            and activities.observed_on >= earlier.observed_on
    group by activities.activity_id

),

newest as (

    select max(observed_on) as newest_observed_on from kudos

),

activities_beside_previous as (

    select
        first_observed.*,
        previous.previous_started_at,
        settled.kudos_count as settled_kudos_count,
        settled.observed_on as settled_on,
        newest.newest_observed_on,
        {{ period_start('week', 'first_observed.activity_date') }} as week_start_date

    from first_observed
    left join previous on first_observed.activity_id = previous.activity_id
    left join settled on first_observed.activity_id = settled.activity_id
    cross join newest

),

final as (

    select
        ---------- ids
        activity_id,

        ---------- strings
        case
            when {{ strava_is_run() }} then {{ strava_workout_type_of_run() }}
            else 'other_sport'
        end as workout_type_name,

        ---------- numerics
        distance_m,
        moving_time_s,
        1000 * cast(moving_time_s as double) / nullif(distance_m, 0) as pace_s_per_km,
        total_elevation_gain_m,
        athlete_count,
        name_word_count,
        cast(
            1 + {{ milliseconds_between(
                'cast(week_start_date as timestamp)', 'cast(activity_date as timestamp)'
            ) }} / 86400000 as bigint
        ) as iso_weekday,
        cast(extract(hour from started_at) as bigint) as start_hour,
        cast({{ milliseconds_between('previous_started_at', 'started_at') }} as double) / 86400000
            as days_since_previous,
        settled_kudos_count,

        ---------- booleans
        newest_observed_on
        >= week_start_date + interval '{{ var("strava_kudos_settle_days") + 6 }}' day
            as is_week_complete,

        ---------- dates
        activity_date,
        week_start_date,
        observed_on as first_observed_on,
        settled_on

    from activities_beside_previous

)

select * from final
