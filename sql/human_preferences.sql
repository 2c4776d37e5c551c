-- Whom do people side with where a model contradicts the dataset: the model, the dataset, both or neither?
-- $study = study
select
    coalesce(model, 'all') as model,
    coalesce(dataset, 'all') as dataset,
    coalesce(error_category, 'all') as error_category,
    verdict,
    round(share, 3) as share,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    n_images,
    n_annotations
from marts.human_evaluation
where study = $study
order by human_evaluation.model nulls first, human_evaluation.dataset nulls first, human_evaluation.error_category nulls first, verdict
