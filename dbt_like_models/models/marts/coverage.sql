with

confusion_counts as (

    select * from {{ ref('confusion_counts') }}

),

cells as (

    select * from {{ ref('cells') }}

),

counts as (

    select
        model,
        dataset,
        subset,
        prompt,
        sum(n)::bigint as n_items,
        sum(if(truth is not null, n, 0))::bigint as n_labelled,
        {%- for status in statuses() %}
        sum(if(status = '{{ status }}', n, 0))::bigint as n_{{ status }}{{ "," if not loop.last }}
        {%- endfor %}
    from confusion_counts
    group by all

)

select
    model,
    dataset,
    subset,
    prompt,
    n_items,
    n_labelled,
    {%- for status in statuses() %}
    n_{{ status }},
    {%- endfor %}
    coverage,
    is_complete
from counts
inner join cells using (model, dataset, subset, prompt)
