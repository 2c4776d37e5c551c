with

class_scores as (

    select * from {{ ref('class_scores') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    label,
    scoring,
    precision,
    recall,
    f1,
    support,
    n_predicted
from class_scores
where dimension = 'emotion'
