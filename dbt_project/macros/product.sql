{#- What the models of the product area share. -#}

{#- The order of versions of one event, the one that counts first. Where all three times are the same, whoever
    uses it goes on with the days or the other columns. -#}
{% macro newest_upload_first() -%}
    server_uploaded_at desc nulls last, client_uploaded_at desc nulls last, processed_at desc nulls last
{%- endmacro %}
