-- As intervals_are_of_the_scores, for agreement with votes and with oneself, and for calibration.
{{ config(meta={'dagster': {'ref': {'name': 'image_intervals'}}}) }}
{%- set cell = ['model', 'dataset', 'subset', 'prompt'] %}
{%- set metrics_of = {
    'vote_agreement': ['soft_accuracy', 'expected_f1', 'jensen_shannon', 'earth_movers_distance'],
    'repeat_stability': ['agreement', 'flip_rate'],
    'calibration': ['accuracy', 'expected_calibration_error', 'brier_score'],
} %}
with

published as (

    {%- for mart, metrics in metrics_of.items() %}
    {%- set is_calibration = mart == 'calibration' %}
    select
        {{ cell | join(', ') }},
        {{ 'source' if is_calibration else "''" }} as source,
        {{ 'coalesce(bin, -1)' if is_calibration else -1 }} as bin,
        unnest(['{{ metrics | join("', '") }}']) as metric,
        unnest([{{ metrics | join(', ') }}]) as score
    from {{ ref(mart) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

resampled as (

    select * replace (coalesce(source, '') as source, coalesce(bin, -1) as bin) from {{ ref('image_intervals') }}
    where estimate is not null

)

select
    *
from (from published where score is not null) as published
full join resampled using ({{ cell | join(', ') }}, source, bin, metric)
where abs(coalesce(score, -2) - coalesce(estimate, -2)) > 1e-9
