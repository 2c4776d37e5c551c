with

answers as (

    select * from {{ ref('repeated_answers') }}
    where not {{ is_failure('status') }}

),

outcomes as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        config_digest,
        status = 'ok' as is_ok,
        coalesce(label, status) as outcome,
        count(*) as n
    from answers
    group by all

),

asked_alike as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        config_digest,
        sum(n) as n_answers,
        sum(n * (n - 1)) as n_agreeing,
        count(*) filter (where is_ok) > 1 as is_flipped
    from outcomes
    group by all

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    sum(n_agreeing) / sum(n_answers * (n_answers - 1)) as agreement,
    bool_or(is_flipped) as is_flipped
from asked_alike
where n_answers > 1
group by all
