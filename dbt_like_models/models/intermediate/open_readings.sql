with

open_prompts as (

    select distinct
        model,
        subset,
        prompt
    from {{ source('raw', 'configs') }}
    where is_current and is_open

),

answers as (

    select * from {{ source('raw', 'answers') }}
    where is_current

),

thresholds as (

    select list(threshold) as thresholds from {{ ref('open_thresholds') }}

),

read_as as (

    select
        answers.*,
        if(answers.status = 'ok', answers.label, answers.nearest_label) as reading,
        case
            when answers.status = 'ok' then 1.0
            when answers.match = 'embedding' then list_max([threshold for threshold in thresholds.thresholds if threshold <= answers.similarity])
        end as highest_threshold
    from answers
    inner join open_prompts using (model, subset, prompt)
    cross join thresholds

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    status,
    reading || '@' || highest_threshold as label
from read_as
