with

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    not bool_or({{ is_failure('status') }}) as is_complete
from confusion_counts
group by all
