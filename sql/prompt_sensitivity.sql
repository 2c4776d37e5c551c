-- How far apart are the best and the worst prompt of each model, and which are they?
-- $scoring = strict
-- Prompts that offer only some of the labels are left out: theirs is an easier task.
with

offered as (

    select
        model,
        subset,
        prompt,
        max(len(labels)) as n_labels
    from raw.configs
    where is_current
    group by all

),

whole as (

    select
        model,
        subset,
        prompt
    from offered
    qualify n_labels = max(n_labels) over (partition by subset)

)

select
    subset,
    model,
    count(*) as n_prompts,
    first(prompt order by weighted_f1 desc nulls last, prompt) as best_prompt,
    round(max(weighted_f1), 3) as best_f1,
    first(prompt order by weighted_f1 nulls last, prompt) as worst_prompt,
    round(min(weighted_f1), 3) as worst_f1,
    round(max(weighted_f1) - min(weighted_f1), 3) as spread,
    min(n) as min_n,
    bool_and(is_complete) as is_complete
from marts.weighted_f1
inner join whole using (model, subset, prompt)
where scoring = $scoring
group by all
order by subset, spread desc nulls last, model
