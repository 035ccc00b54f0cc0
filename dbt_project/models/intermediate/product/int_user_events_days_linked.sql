{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'append',
        tags = ['windowed'],
    )
}}

{{ days_linked(ref('int_user_events_by_day')) }}
