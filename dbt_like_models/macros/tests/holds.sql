{#- Rows for which the expression is not true; NULL is not true. -#}
{% test holds(model, expression) %}
select *
from {{ model }}
where ({{ expression }}) is not true
{% endtest %}
