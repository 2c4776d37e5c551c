with

class_scores as (

    select * from {{ ref('class_scores') }}

),

cells as (

    select * from {{ ref('cells') }}

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
    n_predicted,
    is_complete
from class_scores
inner join cells using (cell)
where dimension = 'emotion'
