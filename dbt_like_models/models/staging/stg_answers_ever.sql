{#- Two scans, because the answers to closed prompts have no similarities: the second passes over their files unread. -#}
{%- set columns = [
    'model', 'dataset', 'subset', 'prompt', 'image_id', 'image_key', 'config_digest', 'repeat', 'is_current',
    'parser_version', 'stated_confidence', 'token_confidence', 'label_probabilities',
] %}
with

decided_by_letters as (

    select
        {{ columns | join(', ') }},
        status,
        label
    from {{ source('raw', 'answers') }}
    where similarity is null

),

decided_by_meaning as (

    select
        {{ columns | join(', ') }},
        if(is_near, 'ok', status) as status,
        if(is_near, nearest_label, label) as label
    from (
        select
            *,
            coalesce(similarity >= {{ var('open_vocabulary_threshold') }} and match = 'embedding', false) as is_near
        from {{ source('raw', 'answers') }}
        where similarity is not null
    ) as compared

)

select * from decided_by_letters
union all
select * from decided_by_meaning
