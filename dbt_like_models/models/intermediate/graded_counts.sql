with

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

affect_counts as (

    select * from {{ ref('affect_counts') }}

),

emotions as (

    select
        cell,
        'labels' as scheme,
        'emotion' as dimension,
        status,
        truth,
        predicted,
        n
    from confusion_counts
    inner join cells using (model, dataset, subset, prompt)
    where truth is not null

),

sentiments as (

    select
        cell,
        scheme,
        'sentiment' as dimension,
        status,
        truth_sentiment as truth,
        coalesce(predicted_sentiment, 'none') as predicted,
        n
    from affect_counts
    where truth_sentiment <> 'none'

),

arousals as (

    select
        cell,
        scheme,
        'arousal' as dimension,
        status,
        truth_arousal as truth,
        coalesce(predicted_arousal, 'none') as predicted,
        n
    from affect_counts
    where truth_arousal <> 'none'

),

graded as (

    select * from emotions
    union all
    select * from sentiments
    union all
    select * from arousals

),

final as (

    select
        cell,
        scheme,
        dimension,
        status,
        truth,
        if(status = 'ok', predicted, '__none__') as predicted,
        sum(n)::bigint as n
    from graded
    group by all

)

select * from final
