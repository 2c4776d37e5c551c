{{ config(materialized='view') }}
with

open_prompts as (

    select distinct
        model,
        subset,
        prompt
    from {{ source('raw', 'configs') }}
    where is_current and is_open

)

select
    answers.model,
    answers.dataset,
    answers.subset,
    answers.prompt,
    answers.image_id,
    answers.status,
    answers.raw_label,
    answers.label,
    answers.match,
    answers.nearest_label,
    answers.similarity
from {{ source('raw', 'answers') }} as answers
inner join open_prompts using (model, subset, prompt)
where answers.is_current
