-- How often does a persona turn a model's reading of the same image from positive to negative, or back?
-- $scheme = circumplex
-- $baseline = simple
with

readings as (

    select
        answers.model,
        answers.subset,
        answers.prompt,
        answers.dataset,
        answers.image_id,
        answers.repeat,
        schemes.sentiment
    from staging.stg_answers as answers
    inner join seeds.affect_schemes as schemes on answers.label = schemes.emotion
    where schemes.scheme = $scheme and schemes.sentiment <> 'none'

),

pairs as (

    select
        personas.model,
        personas.subset,
        personas.prompt as persona,
        baselines.sentiment as sentiment_before,
        personas.sentiment as sentiment_under_persona
    from readings as personas
    inner join readings as baselines using (model, subset, dataset, image_id, repeat)
    where personas.prompt in ('positive_persona', 'negative_persona') and baselines.prompt = $baseline

)

select
    model,
    subset,
    persona,
    count(*) as n,
    count_if(sentiment_before = 'negative' and sentiment_under_persona = 'positive') as n_turned_positive,
    count_if(sentiment_before = 'positive' and sentiment_under_persona = 'negative') as n_turned_negative,
    round(count_if(sentiment_before <> sentiment_under_persona) / count(*), 3) as share_flipped
from pairs
group by all
order by share_flipped desc, model, subset, persona
