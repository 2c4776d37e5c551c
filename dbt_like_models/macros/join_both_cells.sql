{#- Joins both cells of each row of `comparisons`; a figure of them is complete where both are. -#}
{% macro join_both_cells() -%}
    inner join cells using (model, dataset, subset, prompt)
    inner join cells as others
        on
            comparisons.other_model = others.model
            and comparisons.dataset = others.dataset
            and comparisons.subset = others.subset
            and comparisons.other_prompt = others.prompt
{%- endmacro %}
