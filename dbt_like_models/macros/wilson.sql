{#-
    Ends of the 95 % Wilson interval of a share that is the mean over n images; NULL with fewer than two. Where several people judged an
    image, its own share lies between 0 and 1, and varies at most as a yes or no would: the interval is then, if anything, too wide.
    Rounding does not push an end past the share: of 10 unanimous images the low end would be 2e-17.
    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22(158), 209-212.
-#}
{% macro wilson_low(share, n) -%}
    if({{ n }} >= 2, least({{ share }}, greatest(0, {{ _wilson(share, n, '-') }})), null)
{%- endmacro %}

{% macro wilson_high(share, n) -%}
    if({{ n }} >= 2, greatest({{ share }}, least(1, {{ _wilson(share, n, '+') }})), null)
{%- endmacro %}

{% macro _wilson(share, n, sign) -%}
    {%- set z2 = 3.8414588206941254 -%}
    ({{ share }} + {{ z2 }} / (2 * {{ n }}) {{ sign }} sqrt({{ z2 }} * ({{ share }} * (1 - {{ share }}) + {{ z2 }} / (4 * {{ n }})) / {{ n }}))
    / (1 + {{ z2 }} / {{ n }})
{%- endmacro %}
