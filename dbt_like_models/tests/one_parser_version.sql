-- Versions of the parser that read current answers, where there are several: scores of cells then differ by their reading.
{{ config(meta={'description': 'Current answers were read by one version of the parser, and by one embedding model. If not, read them again: materialize `answers`, nothing is asked.'}) }}
with

versions as (

    select
        unnest(['parser', 'embedding model']) as part,
        unnest(string_split(parser_version, '+')[:2]) as version
    from (select distinct parser_version from {{ ref('stg_answers') }}) as read_by

)

select distinct
    part,
    version
from versions
where version is not null
qualify count(distinct version) over (partition by part) > 1
