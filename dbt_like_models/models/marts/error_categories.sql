with

affect_counts as (

    select * from {{ ref('affect_counts') }}
    where truth is not null

),

categories as (

    select unnest(['I', 'II', 'III', 'undetermined']) as category

),

cells as (

    select distinct model, dataset, subset, prompt, scheme, is_complete
    from affect_counts
    inner join {{ ref('cells') }} using (model, dataset, subset, prompt)

),

wrong_answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        case
            when coalesce(truth_sentiment, 'none') = 'none' then 'undetermined'
            when coalesce(predicted_sentiment, 'none') = 'none' then 'undetermined'
            when truth_sentiment <> predicted_sentiment then 'I'
            when truth_arousal <> predicted_arousal then 'II'
            else 'III'
        end as category,
        sum(n) as n
    from affect_counts
    where status = 'ok' and predicted <> truth
    group by all

),

counts as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        category,
        cells.is_complete,
        coalesce(wrong_answers.n, 0)::bigint as n
    from cells
    cross join categories
    left join wrong_answers using (model, dataset, subset, prompt, scheme, category)

)

select
    model,
    dataset,
    subset,
    prompt,
    scheme,
    category,
    n,
    n / nullif(sum(n) over (partition by model, dataset, subset, prompt, scheme), 0) as share,
    is_complete
from counts
