-- What is resampled is what the SQL models score: both count the same answers.
{{ config(meta={'dagster': {'ref': {'name': 'intervals'}}}) }}
with

scores as (

    unpivot (
        select * exclude (n_items, n, n_answered, coverage, is_complete, n_classes) from {{ ref('f1_scores') }}
    ) on weighted_f1, macro_f1, accuracy into name metric value score

),

classes as (

    unpivot (
        select
            model,
            dataset,
            subset,
            prompt,
            scoring,
            label,
            f1,
            if(n_predicted > 0, precision, null) as precision,
            if(support > 0, recall, null) as recall
        from {{ ref('per_class_f1') }}
    ) on f1, precision, recall into name metric value score

),

published as (

    select
        *,
        '' as part
    from scores

    union all by name

    select
        * rename (label as part),
        'labels' as scheme,
        'emotion' as dimension
    from classes

    union all by name

    select
        * exclude (n, ci_low, ci_high, coverage, is_complete) rename (category as part, share as score),
        'error_share' as metric,
        'emotion' as dimension,
        'answered' as scoring
    from {{ ref('error_categories') }}
    where share is not null

    union all by name

    select
        model,
        dataset,
        subset,
        prompt,
        scheme,
        sentiment_bias as score,
        'sentiment_bias' as metric,
        'sentiment' as dimension,
        'answered' as scoring,
        '' as part
    from {{ ref('sentiment_bias') }}
    where sentiment_bias is not null

),

resampled as (

    select * replace (coalesce(part, '') as part) from {{ ref('intervals') }}
    where estimate is not null

)

select
    *
from published
full join resampled using (model, dataset, subset, prompt, metric, scheme, dimension, scoring, part)
where abs(coalesce(score, -2) - coalesce(estimate, -2)) > 1e-9
