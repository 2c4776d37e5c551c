-- Which emotions are taken for which others most often, over all models?
-- $prompt = simple
-- $limit = 20
with

pairs as (

    select
        dataset,
        truth,
        predicted,
        sum(n)::bigint as n,
        bool_and(is_complete) as is_complete
    from marts.confusion
    where prompt = $prompt and subset = dataset
    group by all

),

shares as (

    select
        dataset,
        truth,
        predicted,
        n,
        n / sum(n) over of_truth as share_of_truth,
        bool_and(is_complete) over of_truth as is_complete
    from pairs
    window of_truth as (partition by dataset, truth)

)

select
    dataset,
    truth,
    predicted,
    n,
    round(share_of_truth, 3) as share_of_truth,
    is_complete
from shares
where predicted not in (truth, '__none__')
order by share_of_truth desc, dataset, truth, predicted
limit $limit::bigint
