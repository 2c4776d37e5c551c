-- Cells whose error categories do not add up to the answers off the diagonal.
{{ config(meta={'dagster': {'ref': {'name': 'error_categories'}}}) }}
with

categorised as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        sum(n) as n
    from {{ ref('error_categories') }}
    group by all

),

wrong_answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(n) as n
    from {{ ref('confusion') }}
    where predicted not in (truth, '__none__')
    group by all

)

select *
from categorised
left join wrong_answers using (model, dataset, subset, prompt)
where categorised.n <> coalesce(wrong_answers.n, 0)
