-- Which prompts leave which models without a usable answer, and why?
-- $limit = 20
select
    model,
    subset,
    prompt,
    n_items,
    n_items - n_ok as n_unusable,
    round(1 - coverage, 3) as share_unusable,
    n_out_of_vocabulary,
    n_unparseable,
    n_refusal,
    n_content_filter,
    n_error,
    n_missing,
    is_complete
from marts.coverage
where n_ok < n_items
order by share_unusable desc, model, subset, prompt
limit $limit::bigint
