with

label_order_effects as (

    select * from {{ ref('label_order_effects') }}

),

cells as (

    select * from {{ ref('cells') }}

)

select
    model,
    dataset,
    subset,
    prompt,
    label_order_effects.kind,
    label_order_effects.compared_with,
    label_order_effects.position,
    label_order_effects.label,
    label_order_effects.n_images,
    label_order_effects.n_answers,
    label_order_effects.share,
    label_order_effects.expected_share,
    label_order_effects.effect,
    label_order_effects.ci_low,
    label_order_effects.ci_high,
    label_order_effects.p_value,
    label_order_effects.reason,
    cells.coverage,
    compared_cells.coverage as compared_coverage,
    cells.is_complete and coalesce(compared_cells.is_complete, true) as is_complete
from label_order_effects
inner join cells using (model, dataset, subset, prompt)
left join cells as compared_cells
    on
        label_order_effects.model = compared_cells.model
        and label_order_effects.dataset = compared_cells.dataset
        and label_order_effects.subset = compared_cells.subset
        and label_order_effects.compared_with = compared_cells.prompt
