-- How far does a persona turn each model's view to the bright or the dark side, and is it more than chance?
-- $scheme = circumplex
select
    subset,
    model,
    persona,
    n_pairs,
    round(baseline_bias, 3) as baseline_bias,
    round(sentiment_bias, 3) as sentiment_bias,
    round(shift, 3) as shift,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    p_holm,
    is_complete
from marts.persona_shift
where scheme = $scheme
order by subset, abs(shift) desc nulls last, model, persona
