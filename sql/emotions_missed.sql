-- Which emotions does each model recognise badly, and what does it say in their place?
-- $prompt = simple
-- $scoring = strict
with

mistakes as (

    select
        model,
        dataset,
        subset,
        prompt,
        truth as label,
        first(predicted order by n desc, predicted) as most_common_mistake
    from marts.confusion
    where predicted not in (truth, '__none__')
    group by all

)

select
    scores.subset,
    scores.model,
    scores.label,
    scores.support as n,
    round(scores.precision, 3) as precision,
    round(scores.recall, 3) as recall,
    round(scores.f1, 3) as f1,
    mistakes.most_common_mistake,
    scores.is_complete
from marts.per_class_f1 as scores
left join mistakes using (model, dataset, subset, prompt, label)
where scores.prompt = $prompt and scores.scoring = $scoring and scores.support > 0
order by scores.subset, scores.model, scores.f1, scores.label
