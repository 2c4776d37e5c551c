-- Which models see things too brightly or too darkly, and is it more than chance?
-- $prompt = simple
-- $scheme = circumplex
select
    subset,
    model,
    round(sentiment_bias, 3) as sentiment_bias,
    n_negative_as_positive,
    n_positive_as_negative,
    n,
    n_undetermined,
    mcnemar_p,
    is_complete
from marts.sentiment_bias
where prompt = $prompt and scheme = $scheme
order by subset, abs(sentiment_bias) desc nulls last, model
