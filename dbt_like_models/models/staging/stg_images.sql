with

images as (

    select * from {{ source('raw', 'images') }}

),

rated as (

    select
        *,
        (rating_min + rating_max) / 2 as rating_midpoint,
        coalesce(neutral_band, 0) as sentiment_band
    from images

),

final as (

    select
        dataset,
        image_id,
        image_key,
        label,
        label_status,
        map_from_entries(votes) as votes,
        n_votes,
        valence,
        arousal,
        case
            when valence is null or rating_midpoint is null then null
            when abs(valence - rating_midpoint) <= sentiment_band then 'none'
            when valence > rating_midpoint then 'positive'
            else 'negative'
        end as rating_sentiment,
        case
            when arousal is null or rating_midpoint is null then null
            when arousal >= rating_midpoint then 'high'
            else 'low'
        end as rating_arousal
    from rated

)

select * from final
