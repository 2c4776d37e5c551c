{{ config(materialized='view') }}
with

repeated as (

    select
        model,
        dataset,
        subset,
        prompt,
        max(repeat) + 1 as n_repeats
    from {{ ref('stg_answers') }}
    group by all
    having max(repeat) > 0

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    config_digest,
    repeat,
    n_repeats,
    status,
    label
from {{ ref('stg_answers') }}
inner join repeated using (model, dataset, subset, prompt)
