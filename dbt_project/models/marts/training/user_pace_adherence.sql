{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_to_rebuild',
        changed_key = 'user_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_to_rebuild') }}
with

activities as (

    select * from {{ ref('activity_pace_adherence') }}
    {% if is_incremental() %}
        where user_id in {{ changed_keys() }}
    {% endif %}

),

activities_summed as (

    select
        user_id,
        count(*) as activity_count,
        sum(lap_count) as lap_count,
        sum(faster_lap_count) as faster_lap_count,
        sum(in_band_lap_count) as in_band_lap_count,
        sum(slower_lap_count) as slower_lap_count,
        sum(no_target_lap_count) as no_target_lap_count,
        sum(no_speed_lap_count) as no_speed_lap_count,
        sum(compared_time_ms) as compared_time_ms,
        {{ exact_sum('difference_s2_per_km') }} as difference_s2_per_km

    from activities
    group by user_id

),

final as (

    select
        ---------- ids
        cast(user_id as string) as user_id,

        ---------- numerics
        cast(activity_count as bigint) as activity_count,
        cast(lap_count as bigint) as lap_count,
        cast(faster_lap_count as bigint) as faster_lap_count,
        cast(in_band_lap_count as bigint) as in_band_lap_count,
        cast(slower_lap_count as bigint) as slower_lap_count,
        cast(no_target_lap_count as bigint) as no_target_lap_count,
        cast(no_speed_lap_count as bigint) as no_speed_lap_count,
        cast(compared_time_ms as bigint) as compared_time_ms,
        cast(difference_s2_per_km as double) as difference_s2_per_km,
        {{ average_difference_s_per_km('difference_s2_per_km', 'compared_time_ms') }}
            as average_difference_s_per_km

    from activities_summed

)

select * from final
