with

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

),

cells as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(if(status = 'ok', n, 0)) / sum(n) as coverage,
        not bool_or({{ is_failure('status') }}) as is_complete
    from confusion_counts
    group by all

)

select
    row_number() over (order by model, dataset, subset, prompt) as cell,
    *
from cells
