-- Versions of the parser that read current answers, where there are several: scores of cells then differ by their reading.
{{ config(meta={'description': 'Current answers were read by one version of the parser. If not, read them again: materialize `answers`, nothing is asked.'}) }}
select
    parser_version,
    count(*) as n_answers
from {{ ref('stg_answers') }}
group by parser_version
qualify count(*) over () > 1
