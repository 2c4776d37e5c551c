{#- What an answer can come to: `failures` are scored nowhere, everything but `ok` counts as wrong under strict. -#}
{% macro statuses() -%}
    {{ return(["ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter"] + failures()) }}
{%- endmacro %}

{% macro failures() -%}
    {{ return(["error", "missing"]) }}
{%- endmacro %}

{% macro is_failure(status) -%}
    {{ status }} in ('{{ failures() | join("', '") }}')
{%- endmacro %}
