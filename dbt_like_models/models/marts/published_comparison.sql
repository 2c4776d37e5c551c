{%- set cell = "struct_pack(model := ours.model, dataset := ours.dataset, subset := ours.subset, prompt := ours.prompt, weighted_f1 := ours.weighted_f1)" -%}
with

published as (

    select
        *,
        string_split(model_ids, '|') as ids,
        string_split(subsets, '|') as wanted
    from {{ ref('published_results') }}

),

model_ids as (

    select distinct
        model,
        model_id
    from {{ source('raw', 'configs') }}
    where is_current

),

ours as (

    select
        scores.*,
        model_ids.model_id
    from {{ ref('weighted_f1') }} as scores
    inner join model_ids using (model)
    where scores.scoring = 'strict' and scores.prompt = 'simple' and scores.weighted_f1 is not null

),

found as (

    select
        published.published_model,
        published.subsets,
        published.statistic,
        coalesce(
            arg_min({{ cell }}, ours.weighted_f1) filter (where published.statistic = 'min'),
            arg_max({{ cell }}, ours.weighted_f1) filter (where published.statistic <> 'min')
        ) as cell,
        count(distinct ours.subset) as n_subsets,
        bool_and(ours.is_complete) as is_complete
    from published
    inner join ours on list_contains(published.ids, ours.model_id) and list_contains(published.wanted, ours.subset)
    group by all

)

select
    found.cell.model as model,
    found.cell.dataset as dataset,
    found.cell.subset as subset,
    found.cell.prompt as prompt,
    published.published_model,
    published.subsets as published_dataset,
    published.metric,
    published.statistic,
    published.published_value,
    found.cell.weighted_f1 as our_value,
    published.wanted = ['abstract'] and coalesce(found.is_complete, false) as is_comparable,
    case
        when found.cell is null then 'no answers of such a model about these images with the prompt simple'
        when found.n_subsets < len(published.wanted) then 'only ' || found.n_subsets || ' of ' || len(published.wanted) || ' subsets were asked about'
        when not found.is_complete then 'some of our cells are incomplete'
        when published.wanted <> ['abstract'] then 'the hard subsets are drawn anew; prompt wording and parser are our own'
        else 'the same images, but for ties; prompt wording and parser are our own'
    end as reason,
    published.source
from published
left join found using (published_model, subsets, statistic)
