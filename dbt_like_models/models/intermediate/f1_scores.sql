with

graded_counts as (

    select * from {{ ref('graded_counts') }}

),

class_scores as (

    select * from {{ ref('class_scores') }}
    where support > 0

),

cells as (

    select * from {{ ref('cells') }}

),

scorings as (

    select unnest(['strict', 'answered']) as scoring

),

items as (

    select
        cell,
        scheme,
        dimension,
        sum(n)::bigint as n_items,
        sum(if(status = 'ok', n, 0))::bigint as n_answered,
        not bool_or({{ is_failure('status') }}) as is_complete
    from graded_counts
    group by all

),

averages as (

    select
        cell,
        scheme,
        dimension,
        scoring,
        sum(support)::bigint as n,
        sum(f1 * support) / sum(support) as weighted_f1,
        avg(f1) as macro_f1,
        count(*) as n_classes,
        sum(n_correct) / sum(support) as accuracy
    from class_scores
    group by all

),

final as (

    select
        cells.model,
        cells.dataset,
        cells.subset,
        cells.prompt,
        scheme,
        dimension,
        scoring,
        items.n_items,
        coalesce(averages.n, 0) as n,
        items.n_answered,
        items.n_answered / items.n_items as coverage,
        items.is_complete,
        averages.weighted_f1,
        averages.macro_f1,
        coalesce(averages.n_classes, 0) as n_classes,
        averages.accuracy
    from items
    inner join cells using (cell)
    cross join scorings
    left join averages using (cell, scheme, dimension, scoring)

)

select * from final
