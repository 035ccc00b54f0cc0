{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'append',
        change_log = 'int_mobile_events_sessionized',
    )
}}

with

replacements as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where replacement_reason is not null
    {% if is_incremental() %}
        and change_number > {{ consumed_change_number() }}
    {% endif %}

),

final as (

    select
        session_id as old_session_id,
        replaced_by_session_id as new_session_id,
        replacement_reason as reason,
        change_number

    from replacements

)

select * from final
