with

f1_scores as (

    select * from {{ ref('f1_scores') }}

),

intervals as (

    select * from {{ ref('intervals') }}
    where metric = 'weighted_f1'

),

other_intervals as (

    {{ interval_ends(
        'intervals', ['macro_f1', 'accuracy'], ['model', 'dataset', 'subset', 'prompt', 'scheme', 'dimension', 'scoring']
    ) }}

)

select
    model,
    dataset,
    subset,
    prompt,
    scheme,
    dimension,
    scoring,
    n_items,
    n,
    n_answered,
    coverage,
    is_complete,
    weighted_f1,
    ci_low,
    ci_high,
    bca_low,
    bca_high,
    macro_f1,
    macro_f1_low,
    macro_f1_high,
    n_classes,
    accuracy,
    accuracy_low,
    accuracy_high
from f1_scores
left join intervals using (model, dataset, subset, prompt, scheme, dimension, scoring)
left join other_intervals using (model, dataset, subset, prompt, scheme, dimension, scoring)
where dimension in ('sentiment', 'arousal')
