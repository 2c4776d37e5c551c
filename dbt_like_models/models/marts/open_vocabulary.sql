with

thresholds as (

    select * from {{ ref('open_thresholds') }}

),

decided as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        truth,
        case
            when status = 'ok' then label
            when may_match and similarity >= threshold then nearest_label
        end as predicted,
        status = 'ok' as is_string,
        {{ is_failure('status') }} as is_failure,
        is_generic,
        n
    from {{ ref('open_answers') }}
    cross join thresholds
    where truth is not null

),

scored as (

    select * from decided
    where not is_failure

),

items as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        sum(n)::bigint as n_items,
        coalesce(sum(n) filter (where not is_failure), 0)::bigint as n,
        coalesce(sum(n) filter (where is_string), 0)::bigint as n_matched_by_string,
        coalesce(sum(n) filter (where is_generic), 0)::bigint as n_generic,
        coalesce(sum(n) filter (where predicted is not null and not is_string), 0)::bigint as n_matched_by_embedding,
        coalesce(sum(n) filter (where predicted is null and not is_generic and not is_failure), 0)::bigint as n_unmatched
    from decided
    group by all

),

classes as (

    {{ class_counts('scored', ['model', 'dataset', 'subset', 'prompt', 'threshold']) }}
    having sum(support) > 0

),

averages as (

    select
        model,
        dataset,
        subset,
        prompt,
        threshold,
        sum({{ f1() }} * support) / sum(support) as weighted_f1,
        avg({{ f1() }}) as macro_f1,
        sum(n_correct) / sum(support) as accuracy
    from classes
    group by all

),

intervals as (

    {{ interval_ends('open_intervals', ['fine_grained_rate', 'weighted_f1', 'macro_f1', 'accuracy'], ['model', 'dataset', 'subset', 'prompt', 'threshold']) }}

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
    n,
    n_matched_by_string,
    n_generic,
    n_matched_by_embedding,
    n_unmatched,
    (n_matched_by_string + n_matched_by_embedding) / nullif(n, 0) as fine_grained_rate,
    fine_grained_rate_low,
    fine_grained_rate_high,
    weighted_f1,
    weighted_f1_low,
    weighted_f1_high,
    macro_f1,
    macro_f1_low,
    macro_f1_high,
    accuracy,
    accuracy_low,
    accuracy_high,
    thresholds.is_default,
    coverage,
    is_complete
from items
left join averages using (model, dataset, subset, prompt, threshold)
left join intervals using (model, dataset, subset, prompt, threshold)
inner join thresholds using (threshold)
inner join cells using (model, dataset, subset, prompt)
