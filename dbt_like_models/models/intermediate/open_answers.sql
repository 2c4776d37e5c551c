with

answers as (

    select * from {{ ref('open_prompt_answers') }}

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
left join images using (dataset, image_id)
group by all
