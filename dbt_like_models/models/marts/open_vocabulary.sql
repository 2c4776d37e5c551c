with

thresholds as (

    select unnest(range(30, 91, 5)) / 100.0 as threshold
    union
    select {{ var('open_vocabulary_threshold') }}::double

),

decided as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold::double as threshold,
        truth,
        case
            when status = 'ok' then label
            when may_match and similarity >= threshold then nearest_label
        end as predicted,
        status = 'ok' as is_string,
        is_generic,
        n
    from {{ ref('open_answers') }}
    cross join thresholds
    where truth is not null and not {{ is_failure('status') }}

),

items as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        sum(n)::bigint as n_items,
        coalesce(sum(n) filter (where is_string), 0)::bigint as n_matched_by_string,
        coalesce(sum(n) filter (where is_generic), 0)::bigint as n_generic,
        coalesce(sum(n) filter (where predicted is not null and not is_string), 0)::bigint as n_matched_by_embedding,
        coalesce(sum(n) filter (where predicted is null and not is_generic), 0)::bigint as n_unmatched
    from decided
    group by all

),

classes as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        label,
        sum(support) as support,
        sum(n_predicted) as n_predicted,
        sum(n_correct) as n_correct
    from (
        select
            * exclude (truth, predicted),
            truth as label,
            n as support,
            0 as n_predicted,
            if(truth = predicted, n, 0) as n_correct
        from decided
        union all
        select
            * exclude (truth, predicted),
            predicted as label,
            0 as support,
            n as n_predicted,
            0 as n_correct
        from decided
        where predicted is not null
    ) as sides
    group by all
    having sum(support) > 0

),

averages as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        sum(support * 2 * n_correct / (support + n_predicted)) / sum(support) as weighted_f1,
        avg(2 * n_correct / (support + n_predicted)) as macro_f1,
        sum(n_correct) / sum(support) as accuracy
    from classes
    group by all

),

cells as (

    select * from {{ ref('cells') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    threshold,
    n_items,
    n_matched_by_string,
    n_generic,
    n_matched_by_embedding,
    n_unmatched,
    (n_matched_by_string + n_matched_by_embedding) / n_items as fine_grained_rate,
    weighted_f1,
    macro_f1,
    accuracy,
    threshold = {{ var('open_vocabulary_threshold') }} as is_default,
    is_complete
from items
inner join averages using (model, dataset, subset, prompt, threshold)
inner join cells using (model, dataset, subset, prompt)
