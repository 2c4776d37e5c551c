with

comparisons as (

    select * from {{ ref('comparisons') }}
    where kind = 'prompt'

),

cells as (

    select * from {{ ref('cells') }}

)

select
    comparisons.model,
    comparisons.dataset,
    comparisons.subset,
    comparisons.prompt,
    comparisons.other_prompt as baseline,
    comparisons.scoring,
    comparisons.n_pairs,
    comparisons.value as weighted_f1,
    comparisons.other_value as baseline_f1,
    comparisons.delta,
    comparisons.ci_low,
    comparisons.ci_high,
    comparisons.p_value,
    comparisons.p_holm,
    comparisons.accuracy_delta,
    comparisons.mcnemar_p,
    comparisons.mcnemar_holm,
    cells.coverage,
    others.coverage as baseline_coverage,
    cells.is_complete and others.is_complete as is_complete
from comparisons
{{ join_both_cells() }}
