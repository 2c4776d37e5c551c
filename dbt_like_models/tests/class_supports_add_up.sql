-- Scores whose classes' supports do not add up to the items scored.
{{ config(meta={'dagster': {'ref': {'name': 'per_class_f1'}}}) }}
with

supports as (

    select
        model,
        dataset,
        subset,
        prompt,
        scoring,
        sum(support) as support
    from {{ ref('per_class_f1') }}
    group by all

)

select *
from {{ ref('weighted_f1') }} as scores
left join supports using (model, dataset, subset, prompt, scoring)
where scores.n <> coalesce(supports.support, 0)
