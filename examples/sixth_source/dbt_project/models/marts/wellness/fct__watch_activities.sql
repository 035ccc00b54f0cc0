with

activities as (

    select * from {{ ref('stg_watch__activities') }}

),

-- A correction arrives as another row with the same id, in a later file.
newest_versions as (

    select *
    from activities
    qualify row_number() over (
        partition by activity_id
        order by source_path desc, started_at desc, duration_s desc, distance_m desc
    ) = 1

),

final as (

    select
        ---------- ids
        cast(activity_id as string) as activity_id,
        cast(user_id as string) as user_id,

        ---------- strings
        cast(country_code as string) as country_code,
        cast(activity_type as string) as activity_type,

        ---------- numerics
        cast(duration_s as bigint) as duration_s,
        cast(distance_m as double) as distance_m,

        ---------- dates and timestamps
        cast(activity_date as date) as activity_date,
        cast(started_at as timestamp) as started_at

    from newest_versions

)

select * from final
