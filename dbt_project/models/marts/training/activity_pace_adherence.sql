{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_to_rebuild',
        changed_key = 'activity_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_to_rebuild') }}
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where activity_id in {{ changed_keys() }}
    {% endif %}

),

laps as (

    select * from {{ ref('lap_pace_adherence') }}

),

laps_summed as (

    select
        laps.activity_id,
        laps.user_id,
        laps.workout_id,
        count(*) as lap_count,
        count(case when laps.pace_status = 'faster' then 1 end) as faster_lap_count,
        count(case when laps.pace_status = 'in_band' then 1 end) as in_band_lap_count,
        count(case when laps.pace_status = 'slower' then 1 end) as slower_lap_count,
        count(case when laps.pace_status = 'no_target' then 1 end) as no_target_lap_count,
        count(case when laps.pace_status is null then 1 end) as no_speed_lap_count,
        sum(laps.compared_time_ms) as compared_time_ms,
        {{ exact_sum('laps.difference_s2_per_km') }} as difference_s2_per_km

    from activities
    inner join laps
        on
            activities.activity_id = laps.activity_id
            and activities.batch_date = laps.batch_date
    group by
        laps.activity_id,
        laps.user_id,
        laps.workout_id

),

final as (

    select
        ---------- ids
        cast(activity_id as string) as activity_id,
        cast(user_id as string) as user_id,
        cast(workout_id as string) as workout_id,

        ---------- numerics
        cast(lap_count as bigint) as lap_count,
        cast(faster_lap_count as bigint) as faster_lap_count,
        cast(in_band_lap_count as bigint) as in_band_lap_count,
        cast(slower_lap_count as bigint) as slower_lap_count,
        cast(no_target_lap_count as bigint) as no_target_lap_count,
        cast(no_speed_lap_count as bigint) as no_speed_lap_count,
        cast(coalesce(compared_time_ms, 0) as bigint) as compared_time_ms,
        cast(coalesce(difference_s2_per_km, 0) as double) as difference_s2_per_km,
        {{ average_difference_s_per_km('difference_s2_per_km', 'compared_time_ms') }}
            as average_difference_s_per_km

    from laps_summed

)

select * from final
