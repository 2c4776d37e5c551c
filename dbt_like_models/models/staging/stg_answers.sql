with

answers as (

    select * from {{ source('raw', 'answers') }}

),

current_answers as (

    select
        model,
        dataset,
        subset,
        prompt,
        image_id,
        repeat,
        status,
        if(status = 'ok', label, null) as label,
        parser_version
    from answers
    where is_current

)

select * from current_answers
