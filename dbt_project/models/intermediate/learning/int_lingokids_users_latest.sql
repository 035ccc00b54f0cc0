{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_all',
        tags = ['snapshot'],
    )
}}

{% set boundaries = [
    'trial_start_at', 'trial_end_at', 'subscription_start_at', 'subscription_expire_at',
] %}

-- `affected_from` keeps a daily run small: a subscription that starts today does not change last
-- year's events. The status at an instant depends only on the boundaries at or before it. So a
-- boundary that moved changes nothing before the earlier of its two positions.
with

users as (

    select * from {{ ref('stg_lingokids__users') }}

),

known_and_vanished_users as (

    select
        user_id,
        country_code,
        trial_start_at,
        trial_end_at,
        subscription_start_at,
        subscription_expire_at,
        true as is_known

    from users
    {% if previous_build_exists() %}

        union all

        select
            user_id,
            null as country_code,
            null as trial_start_at,
            null as trial_end_at,
            null as subscription_start_at,
            null as subscription_expire_at,
            false as is_known

        from {{ this }} as known
        where
            not exists (
                select 1 from users where users.user_id = known.user_id
            )
    {% endif %}

),

previous_users as (

    {% if is_incremental() %}
        select * from {{ this }}
    {% else %}
        select
            *,
            cast(null as timestamp) as affected_from,
            cast(null as bigint) as change_number

        from known_and_vanished_users
        where false
    {% endif %}

),

users_compared as (

    select
        latest.*,
        previous.affected_from as previously_affected_from,
        previous.change_number as previous_change_number,
        case
            -- The country or the status of every event may be different now.
            when
                (latest.is_known is distinct from previous.is_known)
                or (latest.country_code is distinct from previous.country_code)
                then timestamp '0001-01-01 00:00:00'
            else least(
                {% for boundary in boundaries %}
                    case
                        when (latest.{{ boundary }} is distinct from previous.{{ boundary }})
                            then least(latest.{{ boundary }}, previous.{{ boundary }})
                    end{{ ',' if not loop.last }}
                {% endfor %}
            )
        end as changed_from

    from known_and_vanished_users as latest
    left join previous_users as previous on latest.user_id = previous.user_id

),

users_latest as (

    select
        user_id,
        country_code,
        trial_start_at,
        trial_end_at,
        subscription_start_at,
        subscription_expire_at,
        is_known,
        case
            when changed_from is null then previously_affected_from
            -- The next model has not seen the previous change yet, so that change still counts.
            when
                previous_change_number
                > {{ change_number_consumed_by('int_lingokids_days_changed') }}
                then least(changed_from, previously_affected_from)
            else changed_from
        end as affected_from,
        case
            when changed_from is null then previous_change_number
            else {{ next_change_number() }}
        end as change_number

    from users_compared

)

select * from users_latest
