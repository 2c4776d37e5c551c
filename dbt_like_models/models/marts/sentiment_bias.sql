with

affect_counts as (

    select
        *,
        status = 'ok' as is_answered,
        coalesce(truth_sentiment in ('positive', 'negative') and predicted_sentiment in ('positive', 'negative'), false) as is_determined
    from {{ ref('affect_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

intervals as (

    select * from {{ ref('intervals') }}
    where metric = 'sentiment_bias'

),

counts as (

    select
        cell,
        scheme,
        sum(if(is_answered and is_determined, n, 0))::bigint as n,
        sum(if(is_answered and is_determined and truth_sentiment < predicted_sentiment, n, 0))::bigint as n_negative_as_positive,
        sum(if(is_answered and is_determined and truth_sentiment > predicted_sentiment, n, 0))::bigint as n_positive_as_negative,
        sum(if(is_answered and not is_determined, n, 0))::bigint as n_undetermined
    from affect_counts
    group by all

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
    bca_low,
    bca_high,
    n_undetermined,
    intervals.p_value as mcnemar_p,
    coverage,
    is_complete
from counts
inner join cells using (cell)
left join intervals using (model, dataset, subset, prompt, scheme)
