{%- set columns = ["model", "dataset", "subset", "prompt", "weighted_f1", "ci_low", "ci_high", "n", "coverage", "is_whole"] -%}
{%- set cell -%}
struct_pack({% for column in columns %}{{ column }} := ours.{{ column }}{{ ", " if not loop.last }}{% endfor %})
{%- endset -%}
with

published as (

    select
        *,
        string_split(model_ids, '|') as ids,
        string_split(subsets, '|') as wanted
    from {{ ref('published_results') }}

),

model_ids as (

    select
        model,
        subset,
        any_value(model_id) as model_id,
        bool_and(image_limit is null) as is_whole
    from {{ source('raw', 'configs') }}
    where is_current and prompt = 'simple'
    group by all

),

ours as (

    select
        scores.*,
        model_ids.model_id,
        model_ids.is_whole and scores.is_complete as is_whole
    from {{ ref('weighted_f1') }} as scores
    inner join model_ids using (model, subset)
    where scores.scoring = 'strict' and scores.prompt = 'simple' and scores.weighted_f1 is not null

),

found as (

    select
        published.published_model,
        published.subsets,
        published.statistic,
        coalesce(
            arg_min({{ cell }}, ours.weighted_f1) filter (where published.statistic = 'min'),
            -- Of several entries that point at the model the first whole one, not the best.
            arg_min({{ cell }}, (not ours.is_whole, ours.model)) filter (where published.statistic = 'value' and len(published.ids) = 1),
            arg_max({{ cell }}, ours.weighted_f1)
        ) as cell,
        count(distinct ours.subset) as n_subsets,
        bool_and(ours.is_whole) as is_whole
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
    found.cell.ci_low as ci_low,
    found.cell.ci_high as ci_high,
    found.cell.n as n,
    found.cell.coverage as coverage,
    published.wanted = ['abstract'] and coalesce(found.cell.is_whole, false) as is_comparable,
    case
        when found.cell is null then 'no answers of such a model about these images with the prompt simple'
        when found.n_subsets < len(published.wanted) then 'only ' || found.n_subsets || ' of ' || len(published.wanted) || ' subsets were asked about'
        when not if(published.statistic = 'value', found.cell.is_whole, found.is_whole)
            then 'some of our cells lack answers, or were asked about a part of the images'
        when published.wanted <> ['abstract'] then 'the hard subsets are drawn anew; prompt wording and parser are our own'
        else 'the same images, but for ties; prompt wording and parser are our own'
    end as reason,
    published.source
from published
left join found using (published_model, subsets, statistic)
