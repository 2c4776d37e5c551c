"""Models, prompts and personas compared on the same images."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.comparisons` computes for every subset."""
    import polars as pl

    from eve_pipeline.statistics.comparisons import BASELINE, SCHEMA, comparisons
    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.sheets import read_subsets

    schemes, keep = dbt.ref("affect_schemes").pl(), keep_in(dbt.config.get("cache"))
    configs = dbt.source("raw", "configs").filter("is_current").project("model, subset, prompt, persona, len(labels) as n_labels").pl()
    personas = dict(configs.drop_nulls("persona").select("prompt", "persona").iter_rows())
    offered = configs.join(configs.filter(prompt=BASELINE), on=["model", "subset"], suffix="_plain")
    fewer = offered.filter(pl.col("n_labels") < pl.col("n_labels_plain"))
    subsets = read_subsets(dbt.ref("stg_answers"), dbt.ref("stg_images"))
    found = [
        comparisons(subset, schemes, personas, keep, dbt.config.get("draws"), easier=fewer.filter(subset=subset.subset)["prompt"].to_list())
        for subset in subsets
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found]).to_arrow()
