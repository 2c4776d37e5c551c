with

graded_counts as (

    select * from {{ ref('graded_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

pairs as (

    select
        cell,
        truth,
        predicted,
        sum(n)::bigint as n
    from graded_counts
    where dimension = 'emotion' and not {{ is_failure('status') }}
    group by all

)

select
    model,
    dataset,
    subset,
    prompt,
    truth,
    predicted,
    n,
    n / sum(n) over (partition by cell, truth) as share_of_truth,
    coverage,
    is_complete
from pairs
inner join cells using (cell)
