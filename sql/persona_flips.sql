-- How often does a persona turn a model's reading of the same image from positive to negative, or back?
-- $persona = positive_persona
-- $baseline = simple
-- $scheme = circumplex
with

readings as (

    select
        answers.model,
        answers.subset,
        answers.prompt,
        answers.dataset,
        answers.image_id,
        answers.repeat,
        schemes.sentiment,
        cells.is_complete
    from staging.stg_answers as answers
    inner join seeds.affect_schemes as schemes on lower(answers.label) = lower(schemes.emotion)
    inner join marts.coverage as cells using (model, dataset, subset, prompt)
    where schemes.scheme = $scheme and schemes.sentiment <> 'none'

),

pairs as (

    select
        personas.model,
        personas.subset,
        baselines.sentiment as sentiment_before,
        personas.sentiment as sentiment_under_persona,
        personas.is_complete and baselines.is_complete as is_complete
    from readings as personas
    inner join readings as baselines using (model, subset, dataset, image_id, repeat)
    where personas.prompt = $persona and baselines.prompt = $baseline

)

select
    model,
    subset,
    count(*) as n,
    count_if(sentiment_before = 'negative' and sentiment_under_persona = 'positive')::bigint as n_turned_positive,
    count_if(sentiment_before = 'positive' and sentiment_under_persona = 'negative')::bigint as n_turned_negative,
    round(count_if(sentiment_before <> sentiment_under_persona) / count(*), 3) as share_flipped,
    is_complete
from pairs
group by all
order by share_flipped desc, model, subset
