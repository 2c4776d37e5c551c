-- How often do two models answer alike about an image, and which of them is right where they do not?
-- $prompt = simple
with

readings as (

    select
        answers.model,
        answers.subset,
        answers.dataset,
        answers.image_id,
        answers.repeat,
        configs.label_order,
        answers.label,
        answers.label = images.label as is_right,
        cells.is_complete
    from staging.stg_answers as answers
    inner join staging.stg_images as images using (dataset, image_id)
    inner join raw.configs as configs using (config_digest, model, subset, prompt)
    inner join marts.coverage as cells using (model, dataset, subset, prompt)
    where answers.prompt = $prompt and answers.status = 'ok' and images.label is not null

)

select
    one.subset,
    one.model,
    other.model as other_model,
    count(*) as n,
    round(count_if(one.label = other.label) / n, 3) as share_alike,
    count_if(one.is_right and other.is_right)::bigint as n_both_right,
    count_if(one.is_right and not other.is_right)::bigint as n_only_model_right,
    count_if(other.is_right and not one.is_right)::bigint as n_only_other_right,
    count_if(not one.is_right and not other.is_right)::bigint as n_both_wrong,
    bool_and(one.is_complete and other.is_complete) as is_complete
from readings as one
inner join readings as other using (subset, dataset, image_id, repeat, label_order)
where one.model < other.model
group by all
order by one.subset, share_alike, one.model, other.model
