-- How much does each prompt raise or lower weighted F1 against the plain prompt, and is it more than chance?
-- $scoring = strict
select
    model,
    subset,
    prompt,
    n_pairs,
    round(weighted_f1, 3) as weighted_f1,
    round(delta, 3) as delta,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    p_holm,
    is_complete
from marts.prompt_effects
where scoring = $scoring
order by model, subset, delta desc nulls last, prompt
