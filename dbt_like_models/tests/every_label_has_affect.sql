-- Labels of images or answers that an affect scheme lacks: they count as neither positive nor negative, high nor low.
{{ config(severity='warn', meta={'description': 'Every affect scheme lists all labels in use. If not, add them to the seed affect_schemes.'}) }}
select
    scheme,
    truth as label
from {{ ref('affect_counts') }}
where truth is not null and truth_sentiment is null

union

select
    scheme,
    predicted as label
from {{ ref('affect_counts') }}
where predicted is not null and predicted_sentiment is null
