-- Cells with an open prompt whose F1 in weighted_f1 is not that of their default threshold in open_vocabulary.
{{ config(meta={'dagster': {'ref': {'name': 'open_vocabulary'}}}) }}
select
    model,
    subset,
    prompt,
    scores.weighted_f1 as published,
    sweep.weighted_f1 as swept
from {{ ref('open_vocabulary') }} as sweep
inner join {{ ref('weighted_f1') }} as scores using (model, dataset, subset, prompt)
where sweep.is_default and scores.scoring = 'strict'
    and (abs(scores.weighted_f1 - sweep.weighted_f1) > 1e-9 or scores.n <> sweep.n)
