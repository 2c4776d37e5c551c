-- Cells whose coverage does not count exactly the current answers.
{{ config(meta={'dagster': {'ref': {'name': 'coverage'}}}) }}
with

answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(*) as n_answers
    from {{ ref('stg_answers') }}
    group by all

)

select *
from answers
full join {{ ref('coverage') }} as coverage using (model, dataset, subset, prompt)
where answers.n_answers is distinct from coverage.n_items
