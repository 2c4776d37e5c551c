-- Cells whose strict scores are not over the items that confusion shows.
{{ config(meta={'dagster': {'ref': {'name': 'weighted_f1'}}}) }}
with

confusions as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(n) as n,
        sum(n) filter (where truth = predicted) as n_correct
    from {{ ref('confusion') }}
    group by all

),

scores as (

    select * from {{ ref('weighted_f1') }}
    where scoring = 'strict' and n > 0

)

select *
from scores
full join confusions using (model, dataset, subset, prompt)
where scores.n is distinct from confusions.n
    or abs(scores.accuracy - coalesce(confusions.n_correct, 0) / confusions.n) > 1e-9
