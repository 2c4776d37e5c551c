{#- Ends of the percentile intervals of metrics, side by side as {metric}_low and {metric}_high; `by` names the columns of a row. -#}
{% macro interval_ends(intervals, metrics, by) -%}
    select
        {{ by | join(', ') }}
        {%- for metric in metrics %},
        max(ci_low) filter (where metric = '{{ metric }}') as {{ metric }}_low,
        max(ci_high) filter (where metric = '{{ metric }}') as {{ metric }}_high
        {%- endfor %}
    from {{ ref(intervals) }}
    where metric in ('{{ metrics | join("', '") }}')
    group by all
{%- endmacro %}
