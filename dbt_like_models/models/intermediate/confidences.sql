with

answers as (

    select
        answers.*,
        images.label = answers.label as is_right
    from {{ ref('stg_answers') }} as answers
    inner join {{ ref('stg_images') }} as images using (dataset, image_id)
    where answers.status = 'ok' and images.label is not null

),

sure as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        'logprobs' as source,
        token_confidence as confidence,
        is_right
    from answers
    where token_confidence is not null

    union all

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        'stated' as source,
        stated_confidence as confidence,
        is_right
    from answers
    where stated_confidence is not null

)

select
    model,
    dataset,
    subset,
    prompt,
    source,
    image_id,
    least(floor(confidence * 10), 9)::bigint as bin,
    count(*) as n,
    sum(confidence) as confidence,
    sum(is_right::int)::bigint as n_right,
    sum((confidence - is_right::int) ** 2) as squares
from sure
group by all
