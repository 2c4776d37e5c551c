-- Which model is best if an error that most annotators accept is none, and which by the dataset's labels alone?
-- $study = study
select
    subset,
    model,
    prompt,
    round(accuracy, 3) as accuracy,
    round(accuracy_corrected, 3) as accuracy_corrected,
    round(accuracy_estimated, 3) as accuracy_estimated,
    round(ci_low, 3) as ci_low,
    round(ci_high, 3) as ci_high,
    round(weighted_f1, 3) as weighted_f1,
    round(weighted_f1_corrected, 3) as weighted_f1_corrected,
    n_accepted,
    n_annotated,
    n_errors,
    n,
    is_complete
from marts.accepted_leaderboard
where study = $study
order by subset, accepted_leaderboard.accuracy_estimated desc, model
