with

graded_counts as (

    select * from {{ ref('graded_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

pairs as (

    select
        model,
        dataset,
        subset,
        prompt,
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
    n / sum(n) over (partition by model, dataset, subset, prompt, truth) as share_of_truth,
    is_complete
from pairs
inner join cells using (model, dataset, subset, prompt)
