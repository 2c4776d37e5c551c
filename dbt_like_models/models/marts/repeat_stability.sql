with

repeated as (

    select
        model,
        dataset,
        subset,
        prompt,
        max(repeat) + 1 as n_repeats
    from {{ ref('stg_answers') }}
    group by all
    having max(repeat) > 0

),

answers as (

    select * from {{ ref('stg_answers') }}
    inner join repeated using (model, dataset, subset, prompt)
    where not {{ is_failure('status') }}

),

outcomes as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        config_digest,
        status = 'ok' as is_ok,
        coalesce(label, status) as outcome,
        count(*) as n
    from answers
    group by all

),

asked_alike as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        config_digest,
        sum(n) as n_answers,
        sum(n * (n - 1)) as n_agreeing,
        count(*) filter (where is_ok) > 1 as is_flipped
    from outcomes
    group by all

),

images as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        sum(n_agreeing) / sum(n_answers * (n_answers - 1)) as agreement,
        bool_or(is_flipped) as is_flipped
    from asked_alike
    where n_answers > 1
    group by all

),

stability as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(*) as n_images,
        avg(agreement) as agreement,
        avg(is_flipped::int) as flip_rate
    from images
    group by all

),

graded as (

    select
        answers.model,
        answers.dataset,
        answers.subset,
        answers.prompt,
        answers.repeat,
        images.label as truth,
        answers.label as predicted,
        count(*) as n
    from answers
    inner join {{ ref('stg_images') }} as images using (dataset, image_id)
    where images.label is not null
    group by all

),

classes as (

    {{ class_counts('graded', ['model', 'dataset', 'subset', 'prompt', 'repeat']) }}
    having sum(support) > 0

),

f1_by_repeat as (

    select
        model,
        dataset,
        subset,
        prompt,
        repeat,
        sum({{ f1() }} * support) / sum(support) as weighted_f1
    from classes
    group by all

),

f1 as (

    select
        model,
        dataset,
        subset,
        prompt,
        avg(weighted_f1) as weighted_f1_mean,
        stddev_samp(weighted_f1) as weighted_f1_sd
    from f1_by_repeat
    group by all

),

cells as (

    select * from {{ ref('cells') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    n_repeats,
    coalesce(n_images, 0) as n_images,
    agreement,
    flip_rate,
    weighted_f1_mean,
    weighted_f1_sd,
    is_complete
from repeated
left join stability using (model, dataset, subset, prompt)
left join f1 using (model, dataset, subset, prompt)
inner join cells using (model, dataset, subset, prompt)
