-- Cells whose answers are not all either determined or undetermined in sentiment_bias.
{{ config(meta={'dagster': {'ref': {'name': 'sentiment_bias'}}}) }}
select *
from {{ ref('sentiment_bias') }} as bias
inner join {{ ref('coverage') }} as coverage using (model, dataset, subset, prompt)
where bias.n + bias.n_undetermined <> coverage.n_ok
