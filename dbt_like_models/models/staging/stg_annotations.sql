with

annotations as (

    select * from {{ source('raw', 'annotations') }}

),

tasks as (

    select * from {{ source('raw', 'annotation_tasks') }}

)

select
    study,
    task,
    annotations.annotator,
    tasks.dataset,
    tasks.image_id,
    tasks.prompt,
    tasks.truth,
    tasks.answer,
    tasks.models,
    tasks.subsets,
    tasks.error_category,
    tasks.is_control,
    annotations.choice,
    annotations.shown_order,
    case annotations.choice
        when 'first' then if(annotations.shown_order[1] = tasks.truth, 'dataset', 'model')
        when 'second' then if(annotations.shown_order[2] = tasks.truth, 'dataset', 'model')
        else annotations.choice
    end as verdict,
    annotations.confidence,
    annotations.comment,
    annotations.duration_s,
    annotations.created_at
from annotations
inner join tasks using (study, task)
