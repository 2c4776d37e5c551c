with

answers as (

    select
        answers.*,
        images.label = answers.label as is_right
    from {{ ref('stg_answers') }} as answers
    inner join {{ ref('stg_images') }} as images using (dataset, image_id)
    where answers.status = 'ok' and images.label is not null

),

sure as (

    select
        model,
        dataset,
        subset,
        prompt,
        'logprobs' as source,
        token_confidence as confidence,
        is_right
    from answers
    where token_confidence is not null

    union all

    select
        model,
        dataset,
        subset,
        prompt,
        'stated' as source,
        stated_confidence as confidence,
        is_right
    from answers
    where stated_confidence is not null

),

bins as (

    select
        model,
        dataset,
        subset,
        prompt,
        source,
        least(floor(confidence * 10), 9)::bigint as bin,
        count(*) as n,
        avg(confidence) as mean_confidence,
        avg(is_right::int) as accuracy,
        sum((confidence - is_right::int) ** 2) as squares
    from sure
    group by all

),

rows_of_bins as (

    select
        model,
        dataset,
        subset,
        prompt,
        source,
        bin,
        n,
        mean_confidence,
        accuracy,
        null::double as expected_calibration_error,
        squares / n as brier_score
    from bins

    union all

    select
        model,
        dataset,
        subset,
        prompt,
        source,
        null as bin,
        sum(n)::bigint as n,
        sum(n * mean_confidence) / sum(n) as mean_confidence,
        sum(n * accuracy) / sum(n) as accuracy,
        sum(n * abs(mean_confidence - accuracy)) / sum(n) as expected_calibration_error,
        sum(squares) / sum(n) as brier_score
    from bins
    group by model, dataset, subset, prompt, source

),

cells as (

    select * from {{ ref('cells') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    source,
    bin,
    n,
    mean_confidence,
    accuracy,
    expected_calibration_error,
    brier_score,
    is_complete
from rows_of_bins
inner join cells using (model, dataset, subset, prompt)
