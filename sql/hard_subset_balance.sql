-- How are the labels shared among all images, the hard ones and those drawn for the hard subset?
-- $dataset = sample
-- $threshold = 0.8
with

counts as (

    select
        images.label,
        count(*) as n,
        count(scores.p_true) as n_scored,
        count_if(scores.p_true < $threshold)::bigint as n_hard,
        count(items.image_id) as n_drawn
    from raw.images as images
    left join raw.classifier_scores as scores using (dataset, image_id)
    left join raw.benchmark_items as items
        on images.dataset = items.dataset and images.image_id = items.image_id and items.subset = $dataset || '-hard'
    where images.dataset = $dataset and images.label is not null
    group by images.label

)

select
    label,
    n,
    n_scored,
    n_hard,
    n_drawn,
    round(n_hard / nullif(n_scored, 0), 3) as hard_rate,
    round(n / sum(n) over (), 3) as share,
    round(n_hard / nullif(sum(n_hard) over (), 0), 3) as share_of_hard,
    round(n_drawn / nullif(sum(n_drawn) over (), 0), 3) as share_of_drawn
from counts
order by hard_rate desc nulls last, label
