with

answers as (

    select * from {{ ref('stg_answers') }}

),

orders as (

    select
        model,
        subset,
        prompt,
        any_value(label_order) as label_order,
        any_value(replace(rendered_prompt, array_to_string(label_order, ', '), '$labels')) as wording
    from {{ source('raw', 'configs') }}
    where is_current
    group by all
    having count(*) = 1

),

pairs as (

    select
        prompts.model,
        prompts.subset,
        prompts.prompt,
        before.prompt as compared_with,
        prompts.label_order
    from orders as prompts
    inner join orders as before using (model, subset, wording)
    where
        prompts.label_order <> before.label_order
        and list_sort(prompts.label_order) = list_sort(before.label_order)
        and contains(prompts.wording, '$labels')
        and (before.prompt <> 'simple', before.prompt) < (prompts.prompt <> 'simple', prompts.prompt)

),

answered_on_both_sides as (

    select
        pairs.model,
        answers.dataset,
        pairs.subset,
        pairs.prompt,
        pairs.compared_with,
        pairs.label_order,
        answers.image_id,
        answers.label,
        before.label as label_before
    from pairs
    inner join answers
        on pairs.model = answers.model and pairs.subset = answers.subset and pairs.prompt = answers.prompt
    inner join answers as before
        on
            answers.model = before.model
            and answers.dataset = before.dataset
            and answers.subset = before.subset
            and pairs.compared_with = before.prompt
            and answers.image_id = before.image_id
            and answers.repeat = before.repeat
    where answers.status = 'ok' and before.status = 'ok'

),

images as (

    select
        model,
        dataset,
        subset,
        prompt,
        compared_with,
        image_id,
        label_order,
        count(*) as n_answers,
        list_sort(list(label)) as chosen,
        list_sort(list(label_before)) as chosen_before
    from answered_on_both_sides
    group by all

),

profiles as (

    select
        * exclude (image_id),
        count(*) as n_images
    from images
    group by all

),

profile_labels as (

    select
        * exclude (label_order),
        unnest(label_order) as label
    from profiles

)

select
    model,
    dataset,
    subset,
    prompt,
    compared_with,
    label,
    n_answers,
    len(list_filter(chosen, lambda x: x = label)) as n_chosen,
    len(list_filter(chosen_before, lambda x: x = label)) as n_chosen_before,
    sum(n_images)::bigint as n_images
from profile_labels
group by all
