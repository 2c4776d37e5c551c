"""Which images to look at: those that all models get wrong, a cell of a confusion matrix, and where two sides differ.

Each query returns dataset, image_id, path, sha256, label (the truth, NULL where it is not known), said (a list of what was answered, the most
frequent first), n_answers and n_right, one row an image, the order being worth looking at. A reading is the answer's label, or its
status in brackets. Parameters that are NULL choose all.
"""

READING = "coalesce(answers.label, '(' || replace(answers.status, '_', ' ') || ')')"
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
"""

CELL = f"""
    select {IMAGE}, list(distinct {READING}) as said, count(*) as n_answers, count_if(answers.label = images.label)::bigint as n_right
    from staging.stg_answers as answers inner join raw.images as images using (dataset, image_id)
    where
        model = $model and subset = $subset and prompt = $prompt and {IS_SCORED}
        and images.label = $truth and coalesce(answers.label, '__none__') = $predicted
    group by all
    order by dataset, image_id
    limit $limit offset $offset
"""

SIDES = f"""
    with

    sides as (

        select
            answers.dataset, answers.image_id, answers.repeat, answers.model = $model and answers.prompt = $prompt as is_first,
            {READING} as reading, answers.label
        from staging.stg_answers as answers
        where
            subset = $subset and {IS_SCORED}
            and ((answers.model = $model and answers.prompt = $prompt) or (answers.model = $other_model and answers.prompt = $other_prompt))

    ),

    readings as (

        select dataset, image_id, is_first, mode(reading order by reading) as reading, mode(label order by label) as label
        from sides
        group by all

    ),

    pairs as (

        select
            {IMAGE}, one.reading as said, other.reading as other_said,
            coalesce(one.label = images.label, false) as is_right, coalesce(other.label = images.label, false) as other_is_right
        from (from readings where is_first) as one
        inner join (from readings where not is_first) as other using (dataset, image_id)
        inner join raw.images as images using (dataset, image_id)
        where images.label is not null

    )
"""  # noqa: S608 - names of columns

FLIP_COUNTS = f"""
    {SIDES}
    select
        count(*) as n, count_if(is_right and other_is_right)::bigint as both_right,
        count_if(is_right and not other_is_right)::bigint as only_first, count_if(other_is_right and not is_right)::bigint as only_second,
        count_if(not is_right and not other_is_right and said = other_said)::bigint as same_wrong,
        count_if(not is_right and not other_is_right and said <> other_said)::bigint as different_wrong
    from pairs
"""  # noqa: S608 - as above

FLIPS = f"""
    {SIDES}
    select
        dataset, image_id, path, sha256, label, [said, other_said] as said, 2 as n_answers, is_right::bigint + other_is_right::bigint as n_right
    from pairs
    where
        case $kind
            when 'both_right' then is_right and other_is_right
            when 'only_first' then is_right and not other_is_right
            when 'only_second' then other_is_right and not is_right
            when 'same_wrong' then not is_right and not other_is_right and said = other_said
            when 'different_wrong' then not is_right and not other_is_right and said <> other_said
            else said <> other_said
        end
    order by dataset, image_id
    limit $limit offset $offset
"""  # noqa: S608 - as above

REVISION_FLIPS = f"""
    with

    sides as (

        select
            answers.dataset, answers.image_id, answers.prompt = $later as is_later, mode({READING} order by {READING}) as reading,
            mode(answers.label order by answers.label) as label
        from intermediate.revised_answers as answers
        where subset = $subset and model = $model and answers.prompt in ($later, $earlier) and {IS_SCORED}
        group by all

    ),

    pairs as (

        select
            {IMAGE}, earlier.reading as said, later.reading as later_said,
            coalesce(earlier.label = images.label, false) as was_right, coalesce(later.label = images.label, false) as is_right
        from (from sides where is_later) as later
        inner join (from sides where not is_later) as earlier using (dataset, image_id)
        inner join raw.images as images using (dataset, image_id)

    )

    select dataset, image_id, path, sha256, label, [said, later_said] as said, 2 as n_answers, was_right::bigint + is_right::bigint as n_right
    from pairs
    where
        case $kind
            when 'only_first' then was_right and not is_right
            when 'only_second' then is_right and not was_right
            else said <> later_said
        end
    order by dataset, image_id
    limit $limit offset $offset
"""  # noqa: S608 - as above
