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

-- Cells are joined last: where the output of one hash join is the build side of another, DuckDB 2.0.0 now and then ends with
-- "dict-surviving join ... build pipeline is not single-source" (duckdb/duckdb#24807).
scored as (

    select *
    from items
    cross join scorings
    left join averages using (cell, scheme, dimension, scoring)

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
        scored.n_items,
        coalesce(scored.n, 0) as n,
        scored.n_answered,
        scored.n_answered / scored.n_items as coverage,
        scored.is_complete,
        scored.weighted_f1,
        scored.macro_f1,
        coalesce(scored.n_classes, 0) as n_classes,
        scored.accuracy
    from scored
    inner join cells using (cell)

)

select * from final
