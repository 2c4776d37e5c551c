-- Which cells cost most, or where nothing has a price take longest, and how much of that went into errors and retries?
-- $limit = 20
select
    model,
    subset,
    prompt,
    cost_usd,
    n_requests,
    n_errors,
    n_retries,
    prompt_tokens,
    completion_tokens,
    round(latency_p50_ms) as latency_p50_ms,
    round(latency_p99_ms) as latency_p99_ms
from marts.cost_and_latency
order by cost_usd desc nulls last, latency_p50_ms * n_requests desc nulls last, model, subset, prompt
limit $limit::bigint
