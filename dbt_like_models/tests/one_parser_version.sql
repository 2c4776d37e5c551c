-- Cells whose current answers were read by several versions of the parser: their files hold more than one reading.
select
    model,
    subset,
    prompt
from {{ source('raw', 'answers') }}
where is_current
group by all
having count(distinct parser_version) > 1
