{#-
    Support, predictions and correct ones of each class, over rows with truth, predicted (NULL or __none__ where there is no answer)
    and n; `by` names the columns that a score is of.
-#}
{% macro class_counts(rows, by) -%}
    select
        {{ by | join(', ') }},
        label,
        sum(support)::bigint as support,
        sum(n_predicted)::bigint as n_predicted,
        sum(n_correct)::bigint as n_correct
    from (
        select
            {{ by | join(', ') }},
            truth as label,
            n as support,
            0 as n_predicted,
            if(truth = predicted, n, 0) as n_correct
        from {{ rows }}
        union all
        select
            {{ by | join(', ') }},
            predicted as label,
            0 as support,
            n as n_predicted,
            0 as n_correct
        from {{ rows }}
        where predicted <> '__none__'
    ) as sides
    group by all
{%- endmacro %}

{#- F1 of a class by its counts; every class has support or predictions. -#}
{% macro f1() -%}
    2 * n_correct / (support + n_predicted)
{%- endmacro %}
