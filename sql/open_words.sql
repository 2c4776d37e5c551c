-- Which words do models answer to open prompts that are no label, and which label is nearest to each?
-- $prompt = no_labels
-- $limit = 30
select
    model,
    subset,
    word,
    n,
    round(share, 3) as share,
    nearest_label,
    round(similarity, 3) as similarity,
    is_generic,
    is_complete
from marts.unmatched_words
where prompt = $prompt
order by n desc, model, subset, word
limit $limit::bigint
