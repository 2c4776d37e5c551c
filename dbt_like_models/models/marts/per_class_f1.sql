with

class_scores as (

    select * from {{ ref('class_scores') }}

),

intervals as (

    {{ interval_ends('intervals', ['precision', 'recall', 'f1'], ['model', 'dataset', 'subset', 'prompt', 'scoring', 'part']) }}

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
    f1,
    f1_low,
    f1_high,
    precision,
    precision_low,
    precision_high,
    recall,
    recall_low,
    recall_high,
    support,
    n_predicted,
    coverage,
    is_complete
from class_scores
inner join cells using (cell)
left join (select * rename (part as label) from intervals) as intervals using (model, dataset, subset, prompt, scoring, label)
where dimension = 'emotion'
