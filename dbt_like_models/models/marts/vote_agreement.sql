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

items as (

    select
        answers.model,
        answers.dataset,
        answers.subset,
        answers.prompt,
        count(distinct answers.image_id) as n_images,
        avg(coalesce(votes.share, 0)) as soft_accuracy
    from answers
    left join votes
        on
            answers.dataset = votes.dataset
            and answers.image_id = votes.image_id
            and answers.label = votes.label
    group by all

),

expected as (

    select
        answers.model,
        answers.dataset,
        answers.subset,
        answers.prompt,
        votes.label,
        sum(votes.share) as support,
        sum(votes.share) filter (where votes.label = answers.label) as n_correct
    from answers
    inner join votes using (dataset, image_id)
    group by all

),

predicted as (

    select
        model,
        dataset,
        subset,
        prompt,
        label,
        count(*) as n_predicted
    from answers
    where label is not null
    group by all

),

expected_f1 as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(support * 2 * coalesce(n_correct, 0) / (support + coalesce(n_predicted, 0))) / sum(support) as expected_f1
    from expected
    left join predicted using (model, dataset, subset, prompt, label)
    where support > 0
    group by all

),

distances as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(*) as n_with_distribution,
        avg(jensen_shannon) as jensen_shannon,
        avg(earth_movers_distance) as earth_movers_distance
    from {{ ref('vote_distances') }}
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
    n_images,
    soft_accuracy,
    expected_f1,
    coalesce(n_with_distribution, 0) as n_with_distribution,
    jensen_shannon,
    earth_movers_distance,
    is_complete
from items
left join expected_f1 using (model, dataset, subset, prompt)
left join distances using (model, dataset, subset, prompt)
inner join cells using (model, dataset, subset, prompt)
