"""Models, prompts and personas compared on the same images."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.comparisons` computes for every subset."""
    import polars as pl

    from eve_pipeline.statistics.comparisons import SCHEMA, comparisons
    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.sheets import read_subsets

    schemes, keep = dbt.ref("affect_schemes").pl(), keep_in(dbt.config.get("cache"))
    personas = dict(dbt.source("raw", "configs").filter("is_current and persona is not null").project("prompt, persona").fetchall())
    subsets = read_subsets(dbt.ref("stg_answers"), dbt.ref("stg_images"))
    found = [comparisons(subset, schemes, personas, keep, dbt.config.get("draws")) for subset in subsets]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found]).to_arrow()
