with

configs as (

    -- A JSON schema names the labels in the order of the prompt, which is no setting; that there is one is.
    select
        *,
        json_merge_patch(
            parameters,
            json_object(
                'prompt', null,
                'model', json_object('revision', null),
                'response_format', if(json_type(parameters, '$.response_format') = 'OBJECT', '"json_schema"', parameters -> '$.response_format')
            )
        ) as settings
    from {{ source('raw', 'configs') }}
    where (model, subset, prompt) in (select (model, subset, prompt) from {{ source('raw', 'configs') }} where not is_current)

),

answered as (

    select
        requests.config_digest,
        requests.model,
        requests.subset,
        requests.prompt,
        min(responses.created_at) as first_answer_at
    from {{ source('raw', 'requests') }} as requests
    inner join {{ ref('stg_responses') }} as responses using (request_key)
    where requests.config_digest in (select config_digest from configs)
    group by all

),

dated as (

    select
        configs.config_digest,
        configs.model,
        configs.subset,
        configs.prompt,
        configs.model_revision,
        configs.prompt_revision,
        configs.settings,
        configs.is_current,
        configs.labels::varchar as labels,
        configs.label_order::varchar as label_order,
        min(answered.first_answer_at) over revision as first_answer_at
    from configs
    left join answered using (config_digest, model, subset, prompt)
    window
        revision as (
            partition by
                configs.model,
                configs.subset,
                configs.prompt,
                configs.model_revision,
                configs.prompt_revision,
                configs.settings,
                configs.labels,
                configs.is_current
        )

)

-- What is current comes last, though it may be an old revision that came back.
select
    *,
    dense_rank() over (
        partition by model, subset, prompt
        order by is_current, first_answer_at nulls first, model_revision, prompt_revision, settings, labels
    ) as number
from dated
