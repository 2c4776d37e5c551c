with

open_answers as (

    select * from {{ ref('open_answers') }}

),

cells as (

    select * from {{ ref('cells') }}

),

totals as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(n) as n_received
    from open_answers
    where not {{ is_failure('status') }}
    group by all

),

words as (

    select
        model,
        dataset,
        subset,
        prompt,
        word,
        sum(n)::bigint as n,
        arg_max(nearest_label, similarity) as nearest_label,
        max(similarity) as similarity,
        bool_or(is_generic) as is_generic
    from open_answers
    where status = 'out_of_vocabulary'
    group by all

)

select
    model,
    dataset,
    subset,
    prompt,
    word,
    n,
    n / n_received as share,
    nearest_label,
    similarity,
    is_generic,
    coverage,
    is_complete
from words
inner join totals using (model, dataset, subset, prompt)
inner join cells using (model, dataset, subset, prompt)
