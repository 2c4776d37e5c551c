with

votes as (

    select * from {{ ref('vote_images') }}

),

items as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(distinct image_id) as n_images,
        sum(n_correct) / sum(n_predicted) as soft_accuracy
    from votes
    group by all

),

classes as (

    select
        model,
        dataset,
        subset,
        prompt,
        label,
        sum(support) as support,
        sum(n_predicted) as n_predicted,
        sum(n_correct) as n_correct
    from votes
    group by all

),

expected_f1 as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(support * {{ f1() }}) / sum(support) as expected_f1
    from classes
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

intervals as (

    {{ interval_ends(
        'image_intervals',
        ['soft_accuracy', 'expected_f1', 'jensen_shannon', 'earth_movers_distance'],
        ['model', 'dataset', 'subset', 'prompt']
    ) }}

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
    soft_accuracy_low,
    soft_accuracy_high,
    expected_f1,
    expected_f1_low,
    expected_f1_high,
    coalesce(n_with_distribution, 0) as n_with_distribution,
    jensen_shannon,
    jensen_shannon_low,
    jensen_shannon_high,
    earth_movers_distance,
    earth_movers_distance_low,
    earth_movers_distance_high,
    coverage,
    is_complete
from items
left join expected_f1 using (model, dataset, subset, prompt)
left join distances using (model, dataset, subset, prompt)
left join intervals using (model, dataset, subset, prompt)
inner join cells using (model, dataset, subset, prompt)
