-- Which of two models is better on the same images, and is it more than chance?
-- $prompt = simple
-- $scoring = strict
select
    subset,
    model,
    other_model,
    n_pairs,
    round(weighted_f1, 3) as weighted_f1,
    round(other_f1, 3) as other_f1,
    round(delta, 3) as delta,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    p_holm,
    mcnemar_holm,
    is_complete
from marts.model_comparison
where prompt = $prompt and scoring = $scoring
order by subset, abs(delta) desc nulls last, model, other_model
