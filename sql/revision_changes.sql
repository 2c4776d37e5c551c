-- What did the last revision of each model change, on the images that it and the one before answered?
-- $prompt = simple
with

asked as (

    select
        configs.model,
        configs.subset,
        configs.prompt,
        configs.prompt_revision,
        configs.label_order,
        configs.model_revision,
        configs.config_digest,
        configs.is_current,
        max(responses.created_at) as last_answered_at
    from raw.configs as configs
    inner join raw.requests as requests using (config_digest, model, subset, prompt)
    inner join raw.responses as responses using (request_key)
    where configs.prompt = $prompt
    group by all

),

revisions as (

    select
        now.config_digest,
        now.model_revision as revision,
        before.config_digest as digest_before,
        before.model_revision as revision_before
    from asked as now
    inner join asked as before using (model, subset, prompt, prompt_revision, label_order)
    where now.is_current and not before.is_current and before.model_revision <> now.model_revision
    qualify row_number() over (partition by now.config_digest, subset order by before.last_answered_at desc) = 1

),

pairs as (

    select
        now.model,
        now.subset,
        revisions.revision_before,
        revisions.revision,
        images.label as truth,
        now.label,
        before.label as label_before,
        now.status not in ('error', 'missing') and before.status not in ('error', 'missing') as is_scored
    from revisions
    inner join raw.answers as now using (config_digest)
    inner join raw.answers as before
        on
            revisions.digest_before = before.config_digest
            and now.subset = before.subset
            and now.dataset = before.dataset
            and now.image_id = before.image_id
            and now.repeat = before.repeat
    inner join raw.images as images on now.dataset = images.dataset and now.image_id = images.image_id
    where images.label is not null

),

marked as (

    select
        *,
        coalesce(label = truth, false) as is_right,
        coalesce(label_before = truth, false) as was_right
    from pairs

)

select
    model,
    subset,
    revision_before,
    revision,
    count_if(is_scored)::bigint as n,
    count_if(is_scored and label is distinct from label_before)::bigint as n_changed,
    count_if(is_scored and is_right and not was_right)::bigint as n_mended,
    count_if(is_scored and was_right and not is_right)::bigint as n_broken,
    round(count_if(is_scored and was_right) / nullif(n, 0), 3) as accuracy_before,
    round(count_if(is_scored and is_right) / nullif(n, 0), 3) as accuracy,
    bool_and(is_scored) as is_complete
from marked
group by all
order by n_changed desc, model, subset
