{#- What the models of the product area share. -#}

{#- The order of the versions of one event, newest upload first. Where all three times are equal, the caller goes on with
    the days or the other columns. -#}
{% macro newest_upload_first() -%}
    server_uploaded_at desc nulls last, client_uploaded_at desc nulls last, processed_at desc nulls last
{%- endmacro %}
