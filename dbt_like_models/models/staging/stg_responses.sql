with

responses as (

    select * from {{ source('raw', 'responses') }}

)

select
    request_key,
    delivery,
    prompt_tokens,
    completion_tokens,
    cost_usd,
    latency_ms,
    attempts,
    created_at
from responses
