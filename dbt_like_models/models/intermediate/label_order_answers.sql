with

answers as (

    select * from {{ source('raw', 'answers') }}

),

configs as (

    select * from {{ source('raw', 'configs') }}
    where is_current

),

families as (

    select
        model,
        subset,
        prompt
    from configs
    group by all
    having count(distinct label_order) > 1

)

select
    answers.model,
    answers.dataset,
    answers.subset,
    answers.prompt,
    answers.image_id,
    answers.repeat,
    configs.label_order,
    if(answers.status = 'ok' and list_contains(configs.label_order, answers.label), answers.label, null) as label
from answers
inner join configs using (config_digest, model, subset, prompt)
inner join families using (model, subset, prompt)
where answers.is_current
