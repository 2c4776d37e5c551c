with

graded_counts as (

    select * from {{ ref('graded_counts') }}

),

scored as (

    select
        *,
        'strict' as scoring
    from graded_counts
    where not {{ is_failure('status') }}

    union all

    select
        *,
        'answered' as scoring
    from graded_counts
    where status = 'ok'

),

truths as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        dimension,
        scoring,
        truth as label,
        n as support,
        0 as n_predicted,
        if(truth = predicted, n, 0) as n_correct
    from scored

),

predictions as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        dimension,
        scoring,
        predicted as label,
        0 as support,
        n as n_predicted,
        0 as n_correct
    from scored
    where predicted <> '__none__'

),

classes as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        dimension,
        scoring,
        label,
        sum(support)::bigint as support,
        sum(n_predicted)::bigint as n_predicted,
        sum(n_correct)::bigint as n_correct
    from (
        select * from truths
        union all
        select * from predictions
    ) as sides
    group by all

),

final as (

    select
        *,
        coalesce(n_correct / nullif(n_predicted, 0), 0) as precision,
        coalesce(n_correct / nullif(support, 0), 0) as recall,
        2 * n_correct / (support + n_predicted) as f1
    from classes

)

select * from final
