with

answers as (

    select * from {{ ref('stg_answers') }}

),

images as (

    select * from {{ ref('stg_images') }}

),

counted as (

    select
        answers.model,
        answers.dataset,
        answers.subset,
        answers.prompt,
        images.label as truth,
        images.rating_sentiment,
        images.rating_arousal,
        answers.status,
        answers.label as predicted,
        count(*) as n
    from answers
    left join images using (dataset, image_id)
    group by all

)

select * from counted
