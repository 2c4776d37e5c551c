with

annotations as (

    select * from {{ ref('stg_annotations') }}
    where not is_control

),

-- A judgement counts for every model that gave the answer, and once where all models are taken together.
by_model as (

    select
        *,
        null::varchar as model
    from annotations

    union all

    select
        *,
        unnest(models) as model
    from annotations

),

slices as (

    select unnest(['all', 'error_category', 'dataset']) as slice

),

measures as (

    select
        unnest(['model', 'dataset', 'both', 'neither', 'unsure', 'model_accepted', 'dataset_accepted']) as verdict,
        unnest(
            [['model'], ['dataset'], ['both'], ['neither'], ['unsure'], ['model', 'both'], ['dataset', 'both']]
        ) as verdicts

),

of_images as (

    select
        by_model.study,
        by_model.model,
        if(slices.slice = 'dataset', by_model.dataset, null) as dataset,
        if(slices.slice = 'error_category', by_model.error_category, null) as error_category,
        measures.verdict,
        by_model.dataset as image_dataset,
        by_model.image_id,
        count(distinct by_model.task) as n_tasks,
        count(*) as n_annotations,
        sum(list_contains(measures.verdicts, by_model.verdict)::bigint) as n
    from by_model
    cross join slices
    cross join measures
    group by all

),

shares as (

    select
        study,
        model,
        dataset,
        error_category,
        verdict,
        count(*) as n_images,
        sum(n_tasks)::bigint as n_tasks,
        sum(n_annotations)::bigint as n_annotations,
        sum(n)::bigint as n,
        avg(n / n_annotations) as share
    from of_images
    group by all

)

select
    study,
    model,
    dataset,
    error_category,
    verdict,
    n_images,
    n_tasks,
    n_annotations,
    n,
    share,
    {{ wilson_low('share', 'n_images') }} as ci_low,
    {{ wilson_high('share', 'n_images') }} as ci_high
from shares
