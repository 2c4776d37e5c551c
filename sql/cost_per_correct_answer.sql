-- What does a correct answer cost, model by model, and how fast does it come?
-- $prompt = simple
select
    cost_and_latency.subset,
    cost_and_latency.model,
    weighted_f1.n,
    round(weighted_f1.weighted_f1, 3) as weighted_f1,
    cost_and_latency.cost_usd,
    cost_and_latency.usd_per_correct,
    round(cost_and_latency.latency_p50_ms) as latency_p50_ms,
    weighted_f1.is_complete
from marts.cost_and_latency as cost_and_latency
left join marts.weighted_f1 as weighted_f1
    on
        cost_and_latency.model = weighted_f1.model
        and cost_and_latency.dataset = weighted_f1.dataset
        and cost_and_latency.subset = weighted_f1.subset
        and cost_and_latency.prompt = weighted_f1.prompt
        and weighted_f1.scoring = 'strict'
where cost_and_latency.prompt = $prompt
order by cost_and_latency.subset, cost_and_latency.usd_per_correct nulls last, cost_and_latency.model
