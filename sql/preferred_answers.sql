-- Which answers of models do most annotators accept though the dataset has another label?
-- $study = study
-- $limit = 50
select
    dataset,
    image_id,
    truth,
    answer,
    error_category,
    models,
    count(*) filter (where verdict = 'model') as n_prefer_model,
    count(*) filter (where verdict = 'both') as n_accept_both,
    count(*) filter (where verdict <> 'unsure') as n_decided
from staging.stg_annotations
where study = $study and not is_control
group by study, task, dataset, image_id, truth, answer, error_category, models
having n_prefer_model + n_accept_both > n_decided / 2
order by n_prefer_model / n_decided desc, n_decided desc, dataset, image_id, answer
limit $limit::bigint
