{#- What the models of the training area share. -#}

{#- The key of a workout's flattened step. The step itself and the lap that performs it both take it from here. NULL
    without a workout. -#}
{% macro workout_step_key(workout_id, step_index) -%}
    {{ workout_id }} || '::' || cast({{ step_index }} as string)
{%- endmacro %}

{#- The average pace difference from its parts; NULL where nothing was compared. -#}
{% macro average_difference_s_per_km(difference_s2_per_km, compared_time_ms) -%}
    1000.0 * {{ difference_s2_per_km }} / nullif({{ compared_time_ms }}, 0)
{%- endmacro %}

{#- The millimetres of a unit of measure; NULL for a unit that the app does not use. -#}
{% macro millimetres_per_unit(unit_of_measure) -%}
    case {{ unit_of_measure }}
        when 'KILOMETERS' then cast(1000000 as decimal(7, 0))
        when 'MILES' then cast(1609344 as decimal(7, 0))
    end
{%- endmacro %}

{#- Which recording of its planned workout an activity is, from 1 for the newest. Two devices that record one workout
    send two activities, of the same user and workout, planned for the same day. An activity without a workout or a
    planned day cannot be matched, and counts as the first recording. Recordings for which the condition `last` holds
    come after all others. -#}
{% macro position_in_planned_workout(last=none) -%}
    row_number() over (
        partition by
            user_id,
            plan_id,
            week_of_plan,
            workout_id,
            planned_workout_date,
            case when workout_id is null or planned_workout_date is null then activity_id end
        order by {{ last ~ ', ' if last }}batch_date desc, source_path desc
    )
{%- endmacro %}
