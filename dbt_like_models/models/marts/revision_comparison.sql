with

effects as (

    select * from {{ ref('revision_effects') }}

),

revisions as (

    select distinct
        model,
        subset,
        prompt,
        number,
        model_revision,
        prompt_revision,
        settings,
        labels,
        first_answer_at,
        is_current
    from {{ ref('revisions') }}

),

answers as (

    select
        * exclude (prompt),
        split_part(prompt, '@', 1) as prompt,
        split_part(prompt, '@', 2)::bigint as number
    from {{ ref('revised_answers') }}

),

-- An answer and the one that took its place; either is NULL where there was none.
pairs as (

    select
        coalesce(later.model, earlier.model) as model,
        coalesce(later.subset, earlier.subset) as subset,
        coalesce(later.prompt, earlier.prompt) as prompt,
        coalesce(later.number, earlier.number + 1) as number,
        later.status,
        earlier.status as status_before,
        later.label,
        earlier.label as label_before,
        {{ is_failure('later.status') }} or {{ is_failure('earlier.status') }} as has_failed,
        coalesce(later.label = images.label, false) as is_right,
        coalesce(earlier.label = images.label, false) as was_right
    from answers as later
    full outer join answers as earlier
        on
            later.model = earlier.model
            and later.subset = earlier.subset
            and later.prompt = earlier.prompt
            and later.number = earlier.number + 1
            and later.image_id = earlier.image_id
            and later.repeat = earlier.repeat
            and later.label_order = earlier.label_order
    inner join {{ ref('stg_images') }} as images
        on
            coalesce(later.dataset, earlier.dataset) = images.dataset
            and coalesce(later.image_id, earlier.image_id) = images.image_id

),

scored as (

    select
        *,
        case scoring when 'strict' then not has_failed else status = 'ok' and status_before = 'ok' end as is_scored
    from pairs
    cross join (values ('strict'), ('answered')) as scorings (scoring)

),

flips as (

    select
        model,
        subset,
        prompt,
        number,
        scoring,
        count_if(status is not null and status_before is not null)::bigint as n_answers,
        count_if(status = 'ok') / nullif(count(status), 0) as coverage,
        count_if(status_before = 'ok') / nullif(count(status_before), 0) as coverage_before,
        count_if(status is null)::bigint as n_only_before,
        count_if(status_before is null)::bigint as n_only_after,
        count_if(is_scored and label is distinct from label_before)::bigint as n_changed,
        count_if(is_scored and is_right and not was_right)::bigint as n_flipped_right,
        count_if(is_scored and was_right and not is_right)::bigint as n_flipped_wrong,
        not coalesce(bool_or(coalesce({{ is_failure('status') }}, false) or coalesce({{ is_failure('status_before') }}, false)), false) as is_complete
    from scored
    group by all

)

select
    effects.model,
    effects.dataset,
    effects.subset,
    effects.prompt,
    effects.number as revision,
    effects.scoring,
    concat_ws(
        ', ',
        if(earlier.model_revision <> later.model_revision, 'model', null),
        if(earlier.prompt_revision <> later.prompt_revision, 'prompt', null),
        if(earlier.settings <> later.settings, 'settings', null),
        if(earlier.labels <> later.labels, 'labels', null)
    ) as changed,
    earlier.model_revision as model_revision_before,
    later.model_revision,
    earlier.prompt_revision as prompt_revision_before,
    later.prompt_revision,
    earlier.first_answer_at as first_answer_at_before,
    later.first_answer_at,
    later.is_current,
    effects.n_pairs,
    effects.other_value as weighted_f1_before,
    effects.value as weighted_f1,
    effects.delta,
    effects.ci_low,
    effects.ci_high,
    effects.p_value,
    effects.accuracy_delta,
    effects.mcnemar_p,
    flips.n_answers,
    flips.n_only_before,
    flips.n_only_after,
    flips.n_changed,
    flips.n_flipped_right,
    flips.n_flipped_wrong,
    flips.coverage_before,
    flips.coverage,
    flips.is_complete
from effects
inner join revisions as later using (model, subset, prompt, number)
inner join revisions as earlier
    on
        effects.model = earlier.model
        and effects.subset = earlier.subset
        and effects.prompt = earlier.prompt
        and effects.number = earlier.number + 1
inner join flips using (model, subset, prompt, number, scoring)
