with

annotations as (

    select * from {{ ref('stg_annotations') }}
    where not is_control and verdict <> 'unsure'

),

-- An answer is accepted where more than half of those who decided chose it alone or beside the dataset's label.
judged as (

    select
        study,
        dataset,
        image_id,
        prompt,
        truth,
        answer,
        subsets,
        unnest(models) as model,
        count(*) filter (where verdict in ('model', 'both')) > count(*) / 2 as is_accepted
    from annotations
    group by study, task, dataset, image_id, prompt, truth, answer, subsets, models

),

answers as (

    select
        judged.study,
        judged.model,
        judged.dataset,
        answers.subset,
        judged.prompt,
        judged.image_id,
        judged.truth,
        judged.answer,
        judged.is_accepted
    from judged
    inner join {{ ref('stg_answers') }} as answers
        on
            judged.model = answers.model
            and judged.dataset = answers.dataset
            and judged.prompt = answers.prompt
            and judged.image_id = answers.image_id
            and judged.answer = answers.label
    inner join {{ ref('stg_images') }} as images
        on judged.dataset = images.dataset and judged.image_id = images.image_id and judged.truth = images.label
    where judged.subsets is null or list_contains(judged.subsets, answers.subset)

),

plain as (

    select * from {{ ref('weighted_f1') }}
    where scoring = 'strict'

),

annotated as (

    select
        study,
        model,
        dataset,
        subset,
        prompt,
        count(distinct image_id) as n_images,
        count(*) as n_annotated,
        count(*) filter (where is_accepted) as n_accepted,
        n_accepted / n_annotated as share_accepted
    from answers
    group by all

),

counted as (

    select
        annotated.study,
        counts.model,
        counts.dataset,
        counts.subset,
        counts.prompt,
        counts.truth,
        if(counts.status = 'ok', counts.predicted, '__none__') as predicted,
        counts.n
    from {{ ref('confusion_counts') }} as counts
    inner join annotated using (model, dataset, subset, prompt)
    where counts.truth is not null and not {{ is_failure('counts.status') }}

),

errors as (

    select
        study,
        model,
        dataset,
        subset,
        prompt,
        sum(n)::bigint as n_errors
    from counted
    where predicted not in (truth, '__none__')
    group by all

),

moves as (

    select
        study,
        model,
        dataset,
        subset,
        prompt,
        truth,
        unnest([answer, truth]) as predicted,
        unnest([-1, 1]) as n
    from answers
    where is_accepted

),

corrected as (

    select * from counted
    union all
    select * from moves

),

classes as (

    {{ class_counts('corrected', ['study', 'model', 'dataset', 'subset', 'prompt']) }}

),

scores as (

    select
        study,
        model,
        dataset,
        subset,
        prompt,
        sum({{ f1() }} * support) / sum(support) as weighted_f1_corrected,
        sum(n_correct) / sum(support) as accuracy_corrected
    from classes
    where support > 0
    group by all

)

select
    study,
    model,
    dataset,
    subset,
    prompt,
    plain.n,
    errors.n_errors,
    annotated.n_annotated,
    annotated.n_accepted,
    annotated.share_accepted,
    plain.weighted_f1,
    scores.weighted_f1_corrected,
    plain.accuracy,
    scores.accuracy_corrected,
    plain.accuracy + errors.n_errors / plain.n * share_accepted as accuracy_estimated,
    plain.accuracy + errors.n_errors / plain.n * {{ wilson_low('share_accepted', 'n_images') }} as ci_low,
    plain.accuracy + errors.n_errors / plain.n * {{ wilson_high('share_accepted', 'n_images') }} as ci_high,
    plain.coverage,
    plain.is_complete
from annotated
inner join errors using (study, model, dataset, subset, prompt)
inner join scores using (study, model, dataset, subset, prompt)
inner join plain using (model, dataset, subset, prompt)
