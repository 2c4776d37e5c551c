select * exclude (is_current)
from {{ ref('stg_answers_ever') }}
where is_current
