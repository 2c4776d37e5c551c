select
    answers.model,
    answers.dataset,
    answers.subset,
    answers.prompt || '@' || revisions.number as prompt,
    answers.image_id,
    answers.repeat,
    revisions.label_order,
    answers.status,
    answers.label
from {{ ref('stg_answers_ever') }} as answers
inner join {{ ref('revisions') }} as revisions using (config_digest, model, subset, prompt)
