-- Wrong answers to one prompt, each distinct one of an image once, with the models that gave it.
with

truths as (

    select
        dataset,
        image_id,
        label as truth
    from raw.images
    where label is not null

),

affect as (

    select
        lower(emotion) as emotion,
        sentiment,
        arousal
    from seeds.affect_schemes
    where scheme = $scheme

),

errors as (

    select
        answers.dataset,
        answers.image_id,
        truths.truth,
        answers.label as answer,
        answers.prompt,
        list_sort(list(distinct answers.model)) as models,
        list_sort(list(distinct answers.config_digest)) as config_digests
    from staging.stg_answers as answers
    inner join truths using (dataset, image_id)
    where
        answers.prompt = $prompt
        and answers.status = 'ok'
        and answers.label <> truths.truth
        and ($models is null or list_contains($models::varchar[], answers.model))
        and ($datasets is null or list_contains($datasets::varchar[], answers.dataset))
        and ($subsets is null or list_contains($subsets::varchar[], answers.subset))
    group by all

)

select
    errors.*,
    case
        when coalesce(truths.sentiment, 'none') = 'none' or coalesce(answers.sentiment, 'none') = 'none' then 'undetermined'
        when truths.sentiment <> answers.sentiment then 'I'
        when truths.arousal <> answers.arousal then 'II'
        else 'III'
    end as error_category
from errors
left join affect as truths on lower(errors.truth) = truths.emotion
left join affect as answers on lower(errors.answer) = answers.emotion
