-- How does the score of open answers depend on how similar a word must be to count as a label?
-- $prompt = no_labels
select
    model,
    subset,
    threshold,
    n_items,
    n,
    n_matched_by_string,
    n_matched_by_embedding,
    n_generic,
    n_unmatched,
    round(fine_grained_rate, 3) as fine_grained_rate,
    round(weighted_f1, 3) as weighted_f1,
    is_default,
    is_complete
from marts.open_vocabulary
where prompt = $prompt
order by subset, model, threshold
