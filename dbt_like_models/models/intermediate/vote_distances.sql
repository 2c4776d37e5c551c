with

answered as (

    select
        *,
        row_number() over () as answer
    from {{ ref('stg_answers') }}
    where status = 'ok'

),

images as (

    select * from {{ ref('stg_images') }}
    where votes is not null

),

with_distribution as (

    select
        answered.*
    from answered
    inner join images using (dataset, image_id)
    window image as (partition by model, dataset, subset, prompt, image_id)
    qualify count(*) over image > 1 or bool_or(label_probabilities is not null) over image

),

said as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        answer,
        unnest(coalesce(label_probabilities, [{'label': label, 'share': 1.0::double}]), recursive := true)
    from with_distribution

),

shares as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        label,
        sum(share) as share
    from (
        select * replace (share / sum(share) over (partition by answer) as share) from said
    ) as of_one
    group by all

),

models as (

    select * replace (share / sum(share) over (partition by model, dataset, subset, prompt, image_id) as share)
    from shares

),

voters as (

    select
        asked.model,
        asked.dataset,
        asked.subset,
        asked.prompt,
        asked.image_id,
        unnest(map_keys(images.votes)) as label,
        unnest(map_values(images.votes)) as share
    from (select distinct model, dataset, subset, prompt, image_id from models) as asked
    inner join images using (dataset, image_id)

),

paired as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        label,
        coalesce(models.share, 0) as p,
        coalesce(voters.share, 0) as q,
        (p + q) / 2 as middle
    from models
    full join voters using (model, dataset, subset, prompt, image_id, label)

),

sentiments as (

    select
        lower(emotion) as emotion,
        sentiment
    from {{ ref('affect_schemes') }}
    where scheme = 'circumplex'

),

sided as (

    select
        paired.*,
        coalesce(sentiments.sentiment, 'none') as sentiment
    from paired
    left join sentiments on lower(paired.label) = sentiments.emotion

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    sum(if(p > 0, p * log2(p / middle), 0) + if(q > 0, q * log2(q / middle), 0)) / 2 as jensen_shannon,
    abs(coalesce(sum(p - q) filter (where sentiment = 'negative'), 0))
    + abs(coalesce(sum(p - q) filter (where sentiment in ('negative', 'none')), 0)) as earth_movers_distance
from sided
group by all
