with

requests as (

    select * from {{ ref('stg_requests') }}

),

responses as (

    select * from {{ ref('stg_responses') }}

),

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

),

cells as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(*) as n_requests
    from requests
    group by all

),

asked as (

    select distinct
        model,
        dataset,
        subset,
        prompt,
        request_key
    from requests

),

replies as (

    select
        model,
        dataset,
        subset,
        prompt,
        count(*) as n_responses,
        count(*) filter (where delivery = 'error') as n_errors,
        sum(attempts - 1)::bigint as n_retries,
        sum(prompt_tokens)::bigint as prompt_tokens,
        sum(completion_tokens)::bigint as completion_tokens,
        sum(cost_usd) as cost_usd,
        quantile_cont(latency_ms, 0.5) filter (where delivery <> 'error') as latency_p50_ms,
        quantile_cont(latency_ms, 0.9) filter (where delivery <> 'error') as latency_p90_ms,
        quantile_cont(latency_ms, 0.99) filter (where delivery <> 'error') as latency_p99_ms,
        min(created_at) as first_at,
        max(created_at) as last_at
    from asked
    inner join responses using (request_key)
    group by all

),

answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(n) filter (where status = 'ok') as n_answered,
        sum(n) filter (where status = 'ok' and truth = predicted) as n_correct
    from confusion_counts
    group by all

)

select
    model,
    dataset,
    subset,
    prompt,
    n_requests,
    coalesce(n_responses, 0) as n_responses,
    coalesce(n_errors, 0) as n_errors,
    coalesce(n_retries, 0) as n_retries,
    coalesce(n_correct, 0)::bigint as n_correct,
    prompt_tokens,
    completion_tokens,
    cost_usd,
    cost_usd / nullif(n_answered, 0) as usd_per_answer,
    cost_usd / nullif(n_correct, 0) as usd_per_correct,
    latency_p50_ms,
    latency_p90_ms,
    latency_p99_ms,
    first_at,
    last_at
from cells
left join replies using (model, dataset, subset, prompt)
left join answers using (model, dataset, subset, prompt)
