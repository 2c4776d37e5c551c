with

f1_scores as (

    select * from {{ ref('f1_scores') }}

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
    macro_f1,
    n_classes,
    accuracy
from f1_scores
where dimension in ('sentiment', 'arousal')
