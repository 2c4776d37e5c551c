with

requests as (

    select * from {{ source('raw', 'requests') }}

),

configs as (

    select * from {{ source('raw', 'configs') }}

),

current_requests as (

    select
        requests.model,
        requests.dataset,
        requests.subset,
        requests.prompt,
        requests.image_id,
        requests.repeat,
        requests.request_key,
        requests.origin
    from requests
    inner join configs using (config_digest, model, subset, prompt)
    where configs.is_current

)

select * from current_requests
