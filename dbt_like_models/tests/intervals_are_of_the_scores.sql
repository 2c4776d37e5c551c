-- What is resampled is what the SQL models score: both count the same answers.
{{ config(meta={'dagster': {'ref': {'name': 'intervals'}}}) }}
select
    scores.*,
    intervals.estimate
from {{ ref('f1_scores') }} as scores
full join (select * from {{ ref('intervals') }} where metric = 'weighted_f1') as intervals
    using (model, dataset, subset, prompt, scheme, dimension, scoring)
where abs(coalesce(scores.weighted_f1, -1) - coalesce(intervals.estimate, -1)) > 1e-9
