-- Which emotions are taken for which others most often, over all models?
-- $prompt = simple
-- $limit = 20
with

pairs as (

    select
        dataset,
        truth,
        predicted,
        sum(n)::bigint as n
    from marts.confusion
    where prompt = $prompt and subset = dataset
    group by all

),

shares as (

    select
        *,
        n / sum(n) over (partition by dataset, truth) as share_of_truth
    from pairs

)

select
    dataset,
    truth,
    predicted,
    n,
    round(share_of_truth, 3) as share_of_truth
from shares
where predicted <> truth
order by share_of_truth desc, dataset, truth, predicted
limit $limit::bigint
