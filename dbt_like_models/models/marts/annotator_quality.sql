with

annotations as (

    select * from {{ ref('stg_annotations') }}

),

tasks as (

    select
        study,
        count(*) as n_tasks
    from {{ source('raw', 'annotation_tasks') }}
    group by all

),

counts as (

    select
        study,
        annotator,
        count(*) as n,
        count(*) filter (where is_control) as n_controls,
        count(*) filter (where is_control and verdict = 'dataset') as n_controls_right,
        avg((verdict = 'unsure')::bigint) as share_unsure,
        avg((choice = 'first')::bigint) filter (where choice in ('first', 'second')) as share_first,
        median(duration_s) as median_seconds,
        min(created_at) as first_at,
        max(created_at) as last_at
    from annotations
    group by all

),

accuracies as (

    select
        *,
        n_controls_right / nullif(n_controls, 0) as control_accuracy
    from counts

)

select
    study,
    annotator,
    n,
    tasks.n_tasks,
    n_controls,
    n_controls_right,
    control_accuracy,
    {{ wilson_low('control_accuracy', 'n_controls') }} as ci_low,
    {{ wilson_high('control_accuracy', 'n_controls') }} as ci_high,
    share_unsure,
    share_first,
    median_seconds,
    first_at,
    last_at
from accuracies
inner join tasks using (study)
