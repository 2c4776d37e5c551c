"""What the order of the labels does to the answers."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.label_orders` computes for every cell and pair of prompts."""
    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.label_orders import label_order_effects

    answers, changes = dbt.ref("label_order_answers").pl(), dbt.ref("label_share_changes").pl()
    return label_order_effects(answers, changes, dbt.config.get("draws"), keep_in(dbt.config.get("cache"))).to_arrow()
