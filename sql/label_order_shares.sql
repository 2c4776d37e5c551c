-- How often is each label chosen at each position of the list, over all label orders of a prompt?
-- $prompt = permutation_4
with

answers as (

    select
        answers.model,
        answers.subset,
        answers.prompt,
        answers.label,
        answers.status,
        configs.label_order
    from raw.answers as answers
    inner join raw.configs as configs using (config_digest, model, subset, prompt)
    where answers.is_current and answers.prompt = $prompt

),

shown as (

    select
        *,
        unnest(label_order) as shown_label,
        generate_subscripts(label_order, 1) as position
    from answers

),

cells as (

    select
        model,
        subset,
        prompt,
        bool_and(status not in ('error', 'missing')) as is_complete
    from answers
    group by all

)

select
    model,
    subset,
    prompt,
    shown_label as label,
    position,
    count_if(status = 'ok') as n_answered,
    count_if(status = 'ok' and label = shown_label) as n_chosen,
    round(n_chosen / nullif(n_answered, 0), 3) as share_chosen,
    is_complete
from shown
inner join cells using (model, subset, prompt)
group by model, subset, prompt, shown_label, position, is_complete
order by model, subset, prompt, label, position
