-- What did the last revision of each model, prompt or its settings change, on the images that it and the one before answered?
-- $prompt = simple
select
    model,
    subset,
    changed,
    left(model_revision_before, 12) as revision_before,
    left(model_revision, 12) as revision,
    n_pairs as n,
    n_changed,
    n_flipped_right,
    n_flipped_wrong,
    round(weighted_f1_before, 3) as weighted_f1_before,
    round(weighted_f1, 3) as weighted_f1,
    round(ci_low, 3) as delta_ci_low,
    round(ci_high, 3) as delta_ci_high,
    is_complete
from marts.revision_comparison
where is_current and scoring = 'strict' and prompt = $prompt
order by n_changed desc, model, subset
