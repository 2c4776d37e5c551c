-- Which models recognise the evoked emotion best, subset by subset?
-- $prompt = simple
-- $scoring = strict
select
    subset,
    model,
    round(weighted_f1, 3) as weighted_f1,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    round(coverage, 3) as coverage,
    n,
    is_complete
from marts.weighted_f1
where prompt = $prompt and scoring = $scoring
order by subset, weighted_f1 desc nulls last, model
