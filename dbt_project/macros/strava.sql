{#- What the models of the strava area share. -#}

{#- Whether an activity is a run: its `sport_type` decides, and its older `activity_type` only where it has none. -#}
{% macro strava_is_run() -%}
    coalesce(
        coalesce(sport_type, activity_type) in (
            {%- for sport_type in var('strava_run_sport_types') -%}
                '{{ sport_type }}'{{ ', ' if not loop.last }}
            {%- endfor -%}
        ),
        false
    )
{%- endmacro %}

{#- What the number in `workout_type` means of a run. -#}
{% macro strava_workout_type_of_run() -%}
    case
        when workout_type is null or workout_type = 0 then 'default'
        when workout_type = 1 then 'race'
        when workout_type = 2 then 'long_run'
        when workout_type = 3 then 'workout'
        else 'unknown'
    end
{%- endmacro %}
