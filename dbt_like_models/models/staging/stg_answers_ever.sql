with

answers as (

    select
        *,
        if(similarity >= {{ var('open_vocabulary_threshold') }} and match = 'embedding', nearest_label, null) as near
    from {{ source('raw', 'answers') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    image_id,
    config_digest,
    repeat,
    is_current,
    if(near is null, status, 'ok') as status,
    coalesce(near, if(status = 'ok', label, null)) as label,
    stated_confidence,
    token_confidence,
    label_probabilities,
    parser_version
from answers
