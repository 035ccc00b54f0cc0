{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_changed',
        changed_key = 'activity_id',
    )
}}

-- The logs of the training area name activities, and an activity may arrive again with another
-- date. So its weeks are kept, the one in which it counts and those in which it once did.
-- depends_on: {{ ref('int_runna_activities_changed') }}
with

activities as (

    select
        activity_id,
        {{ period_start('week', 'activity_date') }} as week_start_date

    from {{ table_or_nothing(
        ref('fct__activities'), {'activity_id': 'varchar', 'activity_date': 'date'}
    ) }}

),

activity_weeks as (

    select
        activity_id,
        week_start_date

    from activities
    where
        week_start_date is not null
        {% if is_incremental() %}
            and activity_id in {{ changed_keys() }}
        {% endif %}
    {% if is_incremental() or previous_build_exists() %}

        union

        select
            activity_id,
            week_start_date

        from {{ this }}
        {% if is_incremental() %}
            where activity_id in {{ changed_keys() }}
        {% endif %}
    {% endif %}

)

select
    activity_id,
    week_start_date,
    {{ next_change_number() }} as change_number

from activity_weeks
