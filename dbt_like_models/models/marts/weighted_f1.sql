with

f1_scores as (

    select * from {{ ref('f1_scores') }}

),

intervals as (

    select * from {{ ref('intervals') }}
    where metric = 'weighted_f1'

)

select
    model,
    dataset,
    subset,
    prompt,
    scoring,
    n_items,
    n,
    n_answered,
    coverage,
    is_complete,
    weighted_f1,
    macro_f1,
    n_classes,
    accuracy,
    ci_low,
    ci_high,
    bca_low,
    bca_high
from f1_scores
left join intervals using (model, dataset, subset, prompt, scheme, dimension, scoring)
where dimension = 'emotion'
