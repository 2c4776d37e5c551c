with

bins as (

    select
        model,
        dataset,
        subset,
        prompt,
        source,
        bin,
        sum(n)::bigint as n,
        sum(confidence) / sum(n) as mean_confidence,
        sum(n_right) / sum(n) as accuracy,
        sum(squares) as squares
    from {{ ref('confidences') }}
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

intervals as (

    {{ interval_ends(
        'image_intervals',
        ['accuracy', 'expected_calibration_error', 'brier_score'],
        ['model', 'dataset', 'subset', 'prompt', 'source', 'bin']
    ) }}

),

cells as (

    select * from {{ ref('cells') }}

)

select
    rows_of_bins.model,
    rows_of_bins.dataset,
    rows_of_bins.subset,
    rows_of_bins.prompt,
    rows_of_bins.source,
    rows_of_bins.bin,
    rows_of_bins.n,
    mean_confidence,
    accuracy,
    accuracy_low,
    accuracy_high,
    expected_calibration_error,
    expected_calibration_error_low,
    expected_calibration_error_high,
    brier_score,
    brier_score_low,
    brier_score_high,
    coverage,
    is_complete
from rows_of_bins
left join intervals
    on
        rows_of_bins.model = intervals.model
        and rows_of_bins.dataset = intervals.dataset
        and rows_of_bins.subset = intervals.subset
        and rows_of_bins.prompt = intervals.prompt
        and rows_of_bins.source = intervals.source
        and rows_of_bins.bin is not distinct from intervals.bin
inner join cells
    on
        rows_of_bins.model = cells.model
        and rows_of_bins.dataset = cells.dataset
        and rows_of_bins.subset = cells.subset
        and rows_of_bins.prompt = cells.prompt
