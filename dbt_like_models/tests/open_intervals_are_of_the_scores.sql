-- As intervals_are_of_the_scores, for open answers.
{{ config(meta={'dagster': {'ref': {'name': 'open_intervals'}}}) }}
{%- set metrics = ['fine_grained_rate', 'weighted_f1', 'macro_f1', 'accuracy'] %}
with

published as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        unnest(['{{ metrics | join("', '") }}']) as metric,
        unnest([{{ metrics | join(', ') }}]) as score
    from {{ ref('open_vocabulary') }}

),

resampled as (

    select * from {{ ref('open_intervals') }}
    where estimate is not null

)

select
    *
from (from published where score is not null) as published
full join resampled using (model, dataset, subset, prompt, threshold, metric)
where abs(coalesce(score, -2) - coalesce(estimate, -2)) > 1e-9
