with

thresholds as (

    select unnest(range(30, 91, 5)) / 100.0 as threshold
    union
    select {{ var('open_vocabulary_threshold') }}::double

)

select
    threshold::double as threshold,
    threshold = {{ var('open_vocabulary_threshold') }} as is_default
from thresholds
