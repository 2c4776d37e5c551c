-- Which labelled images does every model get wrong, and what do the models see in them?
-- $prompt = simple
-- $limit = 20
with

readings as (

    select
        answers.dataset,
        answers.image_id,
        images.label as truth,
        answers.model,
        if(answers.status in ('error', 'missing'), null, coalesce(answers.label, answers.status)) as reading
    from staging.stg_answers as answers
    inner join staging.stg_images as images using (dataset, image_id)
    where answers.prompt = $prompt and images.label is not null

)

select
    dataset,
    image_id,
    truth,
    count(distinct model) filter (where reading is not null) as n_models,
    mode(reading order by reading) as most_common_reading,
    list(distinct reading order by reading) filter (where reading is not null) as readings,
    bool_and(reading is not null) as is_complete
from readings
group by all
having bool_and(reading <> truth)
order by n_models desc, dataset, image_id
limit $limit::bigint
