{#-
    Exact two-sided McNemar p-value of two discordant counts: twice the lower tail of Binomial(b + c, 1/2), at most 1.
    Summed over logarithms, because binomial coefficients overflow a double from about 1,000 pairs on; terms more than 10 standard
    deviations below the last are smaller than it by more than a double can tell.
-#}
{% macro mcnemar_exact(b, c) -%}
    least(
        1.0,
        2 * list_sum(
            list_transform(
                range(
                    greatest(0, least({{ b }}, {{ c }}) - ceil(5 * sqrt({{ b }} + {{ c }})))::bigint,
                    least({{ b }}, {{ c }}) + 1
                ),
                lambda k: exp(
                    lgamma({{ b }} + {{ c }} + 1) - lgamma(k + 1) - lgamma({{ b }} + {{ c }} - k + 1)
                    - ({{ b }} + {{ c }}) * ln(2)
                )
            )
        )
    )
{%- endmacro %}
