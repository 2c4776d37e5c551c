with

comparisons as (

    select * from {{ ref('comparisons') }}
    where kind = 'persona'

),

personas as (

    select distinct
        model,
        subset,
        prompt,
        persona
    from {{ source('raw', 'configs') }}
    where is_current

),

cells as (

    select * from {{ ref('cells') }}

)

select
    comparisons.model,
    comparisons.dataset,
    comparisons.subset,
    comparisons.prompt,
    personas.persona,
    comparisons.other_prompt as baseline,
    comparisons.scheme,
    comparisons.n_pairs,
    comparisons.value as sentiment_bias,
    comparisons.other_value as baseline_bias,
    comparisons.delta as shift,
    comparisons.ci_low,
    comparisons.ci_high,
    comparisons.p_value,
    comparisons.p_holm,
    cells.coverage,
    others.coverage as baseline_coverage,
    cells.is_complete and others.is_complete as is_complete
from comparisons
inner join personas using (model, subset, prompt)
{{ join_both_cells() }}
