{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_all',
        tags = ['snapshot'],
    )
}}

with

activities as (

    select * from {{ ref('stg_lingokids__activities') }}

),

known_and_vanished_activities as (

    select
        activity_id,
        activity_name,
        activity_type,
        activity_subtype,
        true as is_known

    from activities
    {% if previous_build_exists() %}

        union all

        select
            activity_id,
            null as activity_name,
            null as activity_type,
            null as activity_subtype,
            false as is_known

        from {{ this }} as known
        where
            not exists (
                select 1 from activities where activities.activity_id = known.activity_id
            )
    {% endif %}

),

previous_activities as (

    {% if is_incremental() %}
        select * from {{ this }}
    {% else %}
        select
            *,
            cast(null as bigint) as change_number

        from known_and_vanished_activities
        where false
    {% endif %}

),

activities_latest as (

    select
        latest.activity_id,
        latest.activity_name,
        latest.activity_type,
        latest.activity_subtype,
        latest.is_known,
        case
            when
                (latest.is_known is not distinct from previous.is_known)
                and (latest.activity_name is not distinct from previous.activity_name)
                and (latest.activity_type is not distinct from previous.activity_type)
                and (latest.activity_subtype is not distinct from previous.activity_subtype)
                then previous.change_number
            else {{ next_change_number() }}
        end as change_number

    from known_and_vanished_activities as latest
    left join previous_activities as previous on latest.activity_id = previous.activity_id

)

select * from activities_latest
