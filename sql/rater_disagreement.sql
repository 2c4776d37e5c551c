-- On which images do the raters and the models disagree most?
-- $prompt = simple
-- $limit = 20
with

readings as (

    select
        answers.dataset,
        answers.image_id,
        images.label as truth,
        images.n_votes,
        images.votes,
        answers.model,
        answers.status,
        answers.label
    from staging.stg_answers as answers
    inner join staging.stg_images as images using (dataset, image_id)
    where answers.prompt = $prompt and images.votes is not null

)

select
    dataset,
    image_id,
    truth,
    any_value(n_votes) as n_votes,
    round(any_value(votes[truth]), 3) as share_of_raters,
    count(distinct model) filter (where status = 'ok') as n_models,
    mode(label order by label) as most_common_answer,
    round(avg(coalesce(votes[label], 0)) filter (where status = 'ok'), 3) as share_who_agree_with_models,
    bool_and(status not in ('error', 'missing')) as is_complete
from readings
group by dataset, image_id, truth
having n_models > 0
order by share_who_agree_with_models, share_of_raters desc nulls last, dataset, image_id
limit $limit::bigint
