-- How much does each prompt raise or lower weighted F1 against the baseline prompt?
-- $baseline = simple
-- $scoring = strict
with

scores as (

    select * from marts.weighted_f1
    where scoring = $scoring

),

baselines as (

    select
        model,
        subset,
        weighted_f1
    from scores
    where prompt = $baseline

)

select
    scores.model,
    scores.subset,
    scores.prompt,
    round(scores.weighted_f1, 3) as weighted_f1,
    round(scores.weighted_f1 - baselines.weighted_f1, 3) as difference,
    scores.is_complete
from scores
inner join baselines using (model, subset)
where scores.prompt <> $baseline
order by scores.model, scores.subset, difference desc nulls last
