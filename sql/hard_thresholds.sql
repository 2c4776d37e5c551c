-- How many images of each label would be hard under other thresholds, and how many of those does the classifier get right?
-- $dataset = sample
with

scored as (

    select
        scores.classifier,
        images.label,
        scores.p_true,
        scores.predicted = images.label as is_right
    from raw.classifier_scores as scores
    inner join raw.images as images using (dataset, image_id)
    where scores.dataset = $dataset

),

thresholds as (

    select (step / 20)::double as threshold
    from range(6, 20) as steps (step)

)

select
    threshold,
    coalesce(label, 'all') as label,
    count(*) as n,
    count_if(p_true < threshold)::bigint as n_hard,
    round(count_if(p_true < threshold) / count(*), 3) as hard_rate,
    round(avg(is_right::integer) filter (where p_true < threshold), 3) as accuracy,
    classifier
from scored
cross join thresholds
group by grouping sets ((classifier, threshold, label), (classifier, threshold))
order by classifier, threshold, label nulls first
