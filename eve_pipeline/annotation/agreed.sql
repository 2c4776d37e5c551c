-- Images about which all answers to one prompt agree with the dataset, those of models and subsets that were not selected too, with the
-- labels that would contradict it; the selection says which images qualify.
with

labels as (

    select distinct
        images.dataset,
        images.label,
        affect.sentiment
    from raw.images as images
    left join seeds.affect_schemes as affect on lower(images.label) = lower(affect.emotion) and affect.scheme = $scheme
    where images.label is not null

),

agreed as (

    select
        answers.dataset,
        answers.image_id,
        images.label as truth,
        answers.prompt
    from staging.stg_answers as answers
    inner join raw.images as images using (dataset, image_id)
    where
        answers.prompt = $prompt
        and images.label is not null
        and ($datasets is null or list_contains($datasets::varchar[], answers.dataset))
    group by all
    having
        bool_and(coalesce(answers.status = 'ok' and answers.label = images.label, false))
        and bool_or(
            ($models is null or list_contains($models::varchar[], answers.model))
            and ($subsets is null or list_contains($subsets::varchar[], answers.subset))
        )

)

select
    agreed.*,
    list_sort(list(others.label)) as wrong,
    list_sort(coalesce(
        list(others.label) filter (
            (truths.sentiment = 'positive' and others.sentiment = 'negative')
            or (truths.sentiment = 'negative' and others.sentiment = 'positive')
        ), []
    )) as opposite
from agreed
inner join labels as truths on agreed.dataset = truths.dataset and agreed.truth = truths.label
inner join labels as others on agreed.dataset = others.dataset and agreed.truth <> others.label
group by all
