with

affect_counts as (

    select * from {{ ref('affect_counts') }}
    where truth is not null

),

categories as (

    select unnest(['I', 'II', 'III', 'undetermined']) as category

),

cells as (

    select * from {{ ref('cells') }}

),

intervals as (

    select * rename (part as category) from {{ ref('intervals') }}
    where metric = 'error_share'

),

-- What is right or no answer has no category.
sorted as (

    select
        cell,
        scheme,
        case
            when status <> 'ok' or predicted = truth then null
            when coalesce(truth_sentiment, 'none') = 'none' then 'undetermined'
            when coalesce(predicted_sentiment, 'none') = 'none' then 'undetermined'
            when truth_sentiment <> predicted_sentiment then 'I'
            when truth_arousal <> predicted_arousal then 'II'
            else 'III'
        end as category,
        sum(n) as n
    from affect_counts
    group by all

),

counts as (

    select
        cell,
        scheme,
        category,
        coalesce(sorted.n, 0)::bigint as n
    from (select distinct cell, scheme from sorted) as scored
    cross join categories
    left join sorted using (cell, scheme, category)

)

select
    model,
    dataset,
    subset,
    prompt,
    scheme,
    category,
    n,
    n / nullif(sum(n) over (partition by cell, scheme), 0) as share,
    ci_low,
    ci_high,
    coverage,
    is_complete
from counts
inner join cells using (cell)
left join intervals using (model, dataset, subset, prompt, scheme, category)
