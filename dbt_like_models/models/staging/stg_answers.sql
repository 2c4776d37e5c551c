with

answers as (

    select
        *,
        coalesce(match = 'embedding' and similarity >= {{ var('open_vocabulary_threshold') }}, false) as is_near
    from {{ source('raw', 'answers') }}
    where is_current

),

current_answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        config_digest,
        repeat,
        if(is_near, 'ok', status) as status,
        case
            when is_near then nearest_label
            when status = 'ok' then label
        end as label,
        stated_confidence,
        token_confidence,
        label_probabilities,
        parser_version
    from answers

)

select * from current_answers
