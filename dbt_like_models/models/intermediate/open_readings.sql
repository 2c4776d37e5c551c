with

answers as (

    select * from {{ ref('open_prompt_answers') }}

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
