-- Which images does a persona turn from negative to positive, or back, in most models?
-- $persona = positive_persona
-- $baseline = simple
-- $scheme = circumplex
-- $limit = 20
with

readings as (

    select
        answers.model,
        answers.subset,
        answers.prompt,
        answers.dataset,
        answers.image_id,
        answers.repeat,
        answers.label,
        schemes.sentiment,
        cells.is_complete
    from staging.stg_answers as answers
    inner join seeds.affect_schemes as schemes on lower(answers.label) = lower(schemes.emotion)
    inner join marts.coverage as cells using (model, dataset, subset, prompt)
    where schemes.scheme = $scheme and schemes.sentiment <> 'none'

),

pairs as (

    select
        dataset,
        image_id,
        model,
        baselines.label as label_before,
        personas.label as label_under_persona,
        personas.sentiment <> baselines.sentiment as is_flipped,
        personas.is_complete and baselines.is_complete as is_complete
    from readings as personas
    inner join readings as baselines using (model, subset, dataset, image_id, repeat)
    where personas.prompt = $persona and baselines.prompt = $baseline

)

select
    pairs.dataset,
    pairs.image_id,
    images.label as truth,
    count(distinct pairs.model) as n_models,
    count(distinct pairs.model) filter (where pairs.is_flipped) as n_flipped,
    mode(pairs.label_before order by pairs.label_before) filter (where pairs.is_flipped) as label_before,
    mode(pairs.label_under_persona order by pairs.label_under_persona) filter (where pairs.is_flipped) as label_under_persona,
    bool_and(pairs.is_complete) as is_complete
from pairs
inner join staging.stg_images as images using (dataset, image_id)
group by all
having n_flipped > 0
order by n_flipped desc, n_flipped / n_models desc, pairs.dataset, pairs.image_id
limit $limit::bigint
