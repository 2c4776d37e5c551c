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

classes as (

    {{ class_counts('scored', ['cell', 'scheme', 'dimension', 'scoring']) }}

),

final as (

    select
        *,
        coalesce(n_correct / nullif(n_predicted, 0), 0) as precision,
        coalesce(n_correct / nullif(support, 0), 0) as recall,
        {{ f1() }} as f1
    from classes

)

select * from final
