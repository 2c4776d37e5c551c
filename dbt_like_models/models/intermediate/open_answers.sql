with

open_prompts as (

    select distinct
        model,
        subset,
        prompt
    from {{ source('raw', 'configs') }}
    where is_current and is_open

),

answers as (

    select * from {{ source('raw', 'answers') }}
    where is_current

),

images as (

    select * from {{ ref('stg_images') }}

)

select
    answers.model,
    answers.dataset,
    answers.subset,
    answers.prompt,
    images.label as truth,
    answers.status,
    lower(trim(answers.raw_label)) as word,
    answers.label,
    answers.nearest_label,
    answers.similarity,
    coalesce(answers.match = 'embedding', false) as may_match,
    answers.nearest_label is not null and answers.match is null as is_generic,
    count(*) as n
from answers
inner join open_prompts using (model, subset, prompt)
left join images using (dataset, image_id)
group by all
