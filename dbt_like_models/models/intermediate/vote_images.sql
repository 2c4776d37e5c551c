with

votes as (

    select
        dataset,
        image_id,
        unnest(map_keys(votes)) as label,
        unnest(map_values(votes)) as share
    from {{ ref('stg_images') }}
    where votes is not null

),

voted as (

    select distinct
        dataset,
        image_id
    from votes

),

answers as (

    select * from {{ ref('stg_answers') }}
    inner join voted using (dataset, image_id)
    where not {{ is_failure('status') }}

),

asked as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        count(*) as n_answers
    from answers
    group by all

),

predicted as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        coalesce(label, '__none__') as label,
        count(*) as n_predicted
    from answers
    group by all

),

expected as (

    select
        asked.*,
        votes.label,
        votes.share
    from asked
    inner join votes using (dataset, image_id)

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    label,
    coalesce(n_answers * share, 0) as support,
    coalesce(n_predicted, 0) as n_predicted,
    coalesce(n_predicted * share, 0) as n_correct
from expected
full join predicted using (model, dataset, subset, prompt, image_id, label)
