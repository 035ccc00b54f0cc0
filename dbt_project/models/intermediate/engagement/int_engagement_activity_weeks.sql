{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'activity_id',
    )
}}

-- The log of the training area names activities, and an activity may arrive again with another
-- date. So this model keeps the week in which an activity counts, and those in which it once did.
-- depends_on: {{ ref('int_runna_activities_changed') }}
with

{% if is_incremental() %}
    activities_changed as (

        select distinct activity_id
        from {{ table_or_nothing(
            ref('int_runna_activities_changed'), {'activity_id': 'string', 'change_number': 'bigint'}
        ) }}
        where change_number > {{ 0 if has_no_row(this) else consumed_change_number() }}

    ),
{% endif %}

activities as (

    select
        activity_id,
        {{ period_start('week', 'activity_date') }} as week_start_date

    from {{ table_or_nothing(
        ref('fct__activities'), {'activity_id': 'string', 'activity_date': 'date'}
    ) }}
    {% if is_incremental() %}
        where activity_id in (select activities_changed.activity_id from activities_changed)
    {% endif %}

),

activity_weeks as (

    select
        activity_id,
        week_start_date

    from activities
    where week_start_date is not null
    {% if is_incremental() or previous_build_exists() %}

        union

        select
            activity_id,
            week_start_date

        from {{ this }}
        {% if is_incremental() %}
            where activity_id in (select activities_changed.activity_id from activities_changed)
        {% endif %}
    {% endif %}

)

select
    activity_id,
    week_start_date,
    {{ next_change_number() }} as change_number

from activity_weeks
