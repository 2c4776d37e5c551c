with

affect_counts as (

    select * from {{ ref('affect_counts') }}

),

answered as (

    select
        *,
        truth_sentiment in ('positive', 'negative')
        and predicted_sentiment in ('positive', 'negative') as is_determined
    from affect_counts
    where status = 'ok'

),

intervals as (

    select * from {{ ref('intervals') }}
    where metric = 'sentiment_bias'

),

cells as (

    select distinct model, dataset, subset, prompt, scheme, is_complete
    from affect_counts
    inner join {{ ref('cells') }} using (model, dataset, subset, prompt)

),

tallies as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        sum(n) filter (where is_determined) as n,
        sum(n) filter (
            where truth_sentiment = 'negative' and predicted_sentiment = 'positive'
        ) as n_negative_as_positive,
        sum(n) filter (
            where truth_sentiment = 'positive' and predicted_sentiment = 'negative'
        ) as n_positive_as_negative,
        sum(n) filter (where is_determined is not true) as n_undetermined
    from answered
    group by all

),

counts as (

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        cells.is_complete,
        coalesce(tallies.n, 0)::bigint as n,
        coalesce(tallies.n_negative_as_positive, 0)::bigint as n_negative_as_positive,
        coalesce(tallies.n_positive_as_negative, 0)::bigint as n_positive_as_negative,
        coalesce(tallies.n_undetermined, 0)::bigint as n_undetermined
    from cells
    left join tallies using (model, dataset, subset, prompt, scheme)

)

select
    model,
    dataset,
    subset,
    prompt,
    scheme,
    n,
    n_negative_as_positive,
    n_positive_as_negative,
    (n_negative_as_positive - n_positive_as_negative) / nullif(n, 0) as sentiment_bias,
    ci_low,
    ci_high,
    n_undetermined,
    {{ mcnemar_exact('n_negative_as_positive', 'n_positive_as_negative') }} as mcnemar_p,
    is_complete
from counts
left join intervals using (model, dataset, subset, prompt, scheme)
