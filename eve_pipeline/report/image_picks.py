"""Which images to look at: those that all models get wrong, a cell of a confusion matrix, and where two sides differ.

Each query returns one row an image, the order being worth looking at: dataset, image_id, path, sha256, label (the truth, NULL where it is
not known), said (a list of what was answered), n_answers and n_right. A reading is the answer's label, or its status in brackets; two sides
that answered a question several times are compared by their most frequent readings. Parameters that are NULL choose all. BROWSED and CELL
have n too, how many images there are before the limit.
"""

from typing import Final

READING: Final = "coalesce(answers.label, '(' || replace(answers.status, '_', ' ') || ')')"
IMAGE = "dataset, image_id, images.path, images.sha256, images.label"
IS_SCORED = "answers.status not in ('error', 'missing')"

HARDEST = f"""
    select {IMAGE}, list(distinct {READING} order by {READING}) as said, count(*) as n_answers, 0 as n_right
    from staging.stg_answers as answers inner join raw.images as images using (dataset, image_id)
    where subset = $subset and prompt = $prompt and {IS_SCORED} and images.label is not null
    group by all
    having bool_and(answers.label is distinct from images.label)
    order by count(distinct model) desc, dataset, image_id
    limit $limit offset $offset
"""  # noqa: S608 - names of columns

CELL = f"""
    select
        {IMAGE}, list(distinct {READING}) as said, count(*) as n_answers, count_if(answers.label = images.label)::bigint as n_right,
        count(*) over () as n
    from staging.stg_answers as answers inner join raw.images as images using (dataset, image_id)
    where
        model = $model and subset = $subset and prompt = $prompt and {IS_SCORED}
        and images.label = $truth and coalesce(answers.label, '__none__') = $predicted
    group by all
    order by dataset, image_id
    limit $limit offset $offset
"""  # noqa: S608 - names of columns


def _pairs(answers: str, first: str, other: str) -> str:
    """Return the beginning of a query on `pairs`: images that both sides answered; what is right is NULL without a truth."""
    return f"""
    with

    readings as (

        select answers.dataset, answers.image_id, {first} as is_first, mode({READING} order by {READING}) as reading
        from {answers} as answers
        where subset = $subset and {IS_SCORED} and (({first}) or ({other}))
        group by all

    ),

    pairs as (

        select
            {IMAGE}, one.reading as said, other.reading as other_said,
            one.reading = images.label as is_right, other.reading = images.label as other_is_right
        from (from readings where is_first) as one
        inner join (from readings where not is_first) as other using (dataset, image_id)
        inner join raw.images as images using (dataset, image_id)

    )
"""  # noqa: S608 - as above


SIDES = _pairs(
    "staging.stg_answers",
    "answers.model = $model and answers.prompt = $prompt",
    "answers.model = $other_model and answers.prompt = $other_prompt",
)
REVISIONS = _pairs(
    "intermediate.revised_answers",
    "answers.model = $model and answers.prompt = $earlier",
    "answers.model = $model and answers.prompt = $later",
)

FLIP_COUNTS = f"""
    {SIDES}
    select
        count(*) as n, count_if(is_right and other_is_right)::bigint as both_right,
        count_if(is_right and not other_is_right)::bigint as only_first, count_if(other_is_right and not is_right)::bigint as only_second,
        count_if(not is_right and not other_is_right and said = other_said)::bigint as same_wrong,
        count_if(not is_right and not other_is_right and said <> other_said)::bigint as different_wrong
    from pairs
    where label is not null
"""  # noqa: S608 - as above

OF_A_KIND = """
    select
        dataset, image_id, path, sha256, label, [said, other_said] as said, 2 as n_answers,
        coalesce(is_right::bigint + other_is_right::bigint, 0) as n_right
    from pairs
    where
        case $kind
            when 'both_right' then is_right and other_is_right
            when 'only_first' then is_right and not other_is_right
            when 'only_second' then other_is_right and not is_right
            when 'same_wrong' then not is_right and not other_is_right and said = other_said
            when 'different_wrong' then not is_right and not other_is_right and said <> other_said
            when 'changed' then said <> other_said
        end
    order by dataset, image_id
    limit $limit offset $offset
"""
FLIPS, REVISION_FLIPS = SIDES + OF_A_KIND, REVISIONS + OF_A_KIND

BROWSED = f"""
    with

    categories as (

        select
            answers.dataset, answers.image_id, answers.model, answers.label, images.label as truth, {READING} as reading, answers.status,
            case
                when images.label is null or answers.label is null or answers.label = images.label then null
                when coalesce(truths.sentiment, 'none') = 'none' or coalesce(predictions.sentiment, 'none') = 'none' then 'undetermined'
                when truths.sentiment <> predictions.sentiment then 'I'
                when truths.arousal <> predictions.arousal then 'II'
                else 'III'
            end as category
        from staging.stg_answers as answers
        inner join raw.images as images using (dataset, image_id)
        left join seeds.affect_schemes as truths on truths.scheme = $scheme and lower(truths.emotion) = lower(images.label)
        left join seeds.affect_schemes as predictions on predictions.scheme = $scheme and lower(predictions.emotion) = lower(answers.label)
        where answers.subset = $subset and answers.prompt = $prompt and {IS_SCORED}

    ),

    summaries as (

        select
            dataset, image_id, count(*) as n_answers, count_if(label = truth)::bigint as n_right,
            list(distinct reading order by reading) as said
        from categories
        where ($model::varchar is null or model = $model)
        group by all
        having
            case $outcome
                when 'any' then true
                when 'right' then bool_or(label = truth)
                when 'wrong' then bool_or(label is distinct from truth and truth is not null)
                when 'no label' then bool_or(label is null)
                else bool_or(category = $outcome)
            end

    ),

    agreements as (

        select
            dataset, image_id,
            case $agreement
                when 'all models wrong' then not bool_or(coalesce(label = truth, false)) and any_value(truth) is not null
                when 'some right, some wrong' then bool_or(label = truth) and bool_or(label is distinct from truth)
                when 'all models right' then bool_and(coalesce(label = truth, false))
                when 'models disagree' then count(distinct reading) > 1
                when 'models say the same' then count(distinct reading) = 1
                else true
            end as fits
        from categories
        where $agreement <> 'any'
        group by all

    )

    select
        images.dataset, images.image_id, images.path, images.sha256, images.label, summaries.said, summaries.n_answers, summaries.n_right,
        count(*) over () as n
    from summaries
    inner join raw.images as images using (dataset, image_id)
    left join agreements using (dataset, image_id)
    where
        coalesce(agreements.fits, true)
        and ($label::varchar is null or coalesce(images.label, '(none)') = $label)
        and ($name::varchar is null or contains(lower(images.image_id), lower($name)))
        and case $votes
            when 'raters agree (80 % or more)' then list_max([vote.share for vote in images.votes]) >= 0.8
            when 'raters are split (below 50 %)' then list_max([vote.share for vote in images.votes]) < 0.5
            when 'tie, no label' then images.label_status = 'tie'
            when 'no votes' then images.votes is null
            else true
        end
    order by
        case $order
            when 'most wrong first' then summaries.n_right / summaries.n_answers
            when 'raters most split first' then list_max([vote.share for vote in images.votes])
        end nulls last,
        images.dataset, images.image_id
    limit $limit offset $offset
"""  # noqa: S608 - as above

IMAGE_ANSWERS = f"""
    select
        answers.model, answers.prompt, string_agg(distinct answers.subset, ', ' order by answers.subset) as subset, answers.repeat,
        {READING} as reading, answers.label, answers.status, raw_answers.raw_label
    from staging.stg_answers as answers
    inner join raw.answers as raw_answers using (config_digest, subset, dataset, image_id, repeat)
    where answers.dataset = $dataset and answers.image_id = $image_id
    group by all
    order by answers.model, answers.prompt, answers.repeat
"""  # noqa: S608 - as above

REPLY: Final = "coalesce(nullif(text, ''), error, '')"
WHOLE_REPLY = f"""
    select {REPLY} as text from raw.responses where request_key = $request_key order by delivery = 'error', created_at limit 1
"""  # noqa: S608 - as above

IMAGE_REPLIES = f"""
    with

    asked as (

        select
            requests.request_key, answers.model, answers.prompt, answers.status, {READING} as reading, min(answers.repeat) as repeat
        from staging.stg_answers as answers
        inner join raw.requests as requests using (config_digest, subset, dataset, image_id, repeat)
        where
            answers.dataset = $dataset and answers.image_id = $image_id
            and ($model::varchar is null or answers.model = $model) and ($prompt::varchar is null or answers.prompt = $prompt)
        group by all

    ),

    replies as (

        select request_key, {REPLY} as text, cost_usd, completion_tokens, created_at
        from raw.responses
        where request_key in (select request_key from asked)
        qualify row_number() over (partition by request_key order by delivery = 'error', created_at) = 1

    )

    select asked.*, replies.* exclude (request_key, text), left(replies.text, $longest) as beginning, length(replies.text) as n_characters
    from asked left join replies using (request_key)
    order by model, prompt, repeat
    limit 200
"""  # noqa: S608 - as above
