with

repeated as (

    select distinct
        model,
        dataset,
        subset,
        prompt,
        n_repeats
    from {{ ref('repeated_answers') }}

),

answers as (

    select * from {{ ref('repeated_answers') }}
    where not {{ is_failure('status') }}

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
    from {{ ref('repeated_images') }}
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

intervals as (

    {{ interval_ends('image_intervals', ['agreement', 'flip_rate'], ['model', 'dataset', 'subset', 'prompt']) }}

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
    agreement_low,
    agreement_high,
    flip_rate,
    flip_rate_low,
    flip_rate_high,
    weighted_f1_mean,
    weighted_f1_sd,
    coverage,
    is_complete
from repeated
left join stability using (model, dataset, subset, prompt)
left join intervals using (model, dataset, subset, prompt)
left join f1 using (model, dataset, subset, prompt)
inner join cells using (model, dataset, subset, prompt)
