-- Prompts that some models of a subset were asked in another wording or with other labels than others: ask the older cells again.
{{ config(severity='warn') }}
select
    subset,
    prompt,
    list(distinct model) as models
from {{ source('raw', 'configs') }}
where is_current
group by all
having count(distinct prompt_revision) > 1 or count(distinct labels) > 1
