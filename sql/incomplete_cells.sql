-- Which cells still miss answers, and how many?
select
    model,
    subset,
    prompt,
    n_items,
    n_missing,
    n_error,
    round(coverage, 3) as coverage
from marts.coverage
where not is_complete
order by n_missing + n_error desc, model, subset, prompt
