with

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

affect_schemes as (

    select * from {{ ref('affect_schemes') }}

),

schemes as (

    select distinct scheme from affect_schemes

),

with_affect as (

    select
        cells.cell,
        schemes.scheme,
        confusion_counts.truth,
        confusion_counts.status,
        confusion_counts.predicted,
        case
            when confusion_counts.truth is null then confusion_counts.rating_sentiment
            else truths.sentiment
        end as truth_sentiment,
        case
            when confusion_counts.truth is null then confusion_counts.rating_arousal
            else truths.arousal
        end as truth_arousal,
        predictions.sentiment as predicted_sentiment,
        predictions.arousal as predicted_arousal,
        confusion_counts.n
    from confusion_counts
    inner join cells using (model, dataset, subset, prompt)
    cross join schemes
    left join affect_schemes as truths
        on schemes.scheme = truths.scheme and lower(confusion_counts.truth) = lower(truths.emotion)
    left join affect_schemes as predictions
        on schemes.scheme = predictions.scheme and lower(confusion_counts.predicted) = lower(predictions.emotion)

)

select * from with_affect
