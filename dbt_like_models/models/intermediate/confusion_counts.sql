with

answers as (

    select * from {{ ref('stg_answers') }}

),

images as (

    select * from {{ ref('stg_images') }}

),

-- Millions of answers are joined by one number and grouped by another: names take twice as long.
truths as (

    select
        *,
        (row_number() over ())::usmallint as truth_number
    from (
        select distinct
            label as truth,
            rating_sentiment,
            rating_arousal
        from images
        where coalesce(label, rating_sentiment, rating_arousal) is not null
    ) as distinct_truths

),

numbered as (

    select
        images.image_key,
        truths.truth_number
    from images
    inner join truths
        on
            images.label is not distinct from truths.truth
            and images.rating_sentiment is not distinct from truths.rating_sentiment
            and images.rating_arousal is not distinct from truths.rating_arousal

),

-- An image without label and rating has no number, like one that is gone.
counted as (

    select
        answers.model,
        answers.dataset,
        answers.subset,
        answers.prompt,
        numbered.truth_number,
        answers.status,
        answers.label as predicted,
        count(*) as n
    from answers
    left join numbered using (image_key)
    group by all

)

select
    counted.model,
    counted.dataset,
    counted.subset,
    counted.prompt,
    truths.truth,
    truths.rating_sentiment,
    truths.rating_arousal,
    counted.status,
    counted.predicted,
    counted.n
from counted
left join truths using (truth_number)
