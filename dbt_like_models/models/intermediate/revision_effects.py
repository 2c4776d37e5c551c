"""Each revision of a cell compared with the one before it."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.revisions` computes for every subset."""
    import polars as pl

    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.revisions import SCHEMA, revision_effects
    from eve_pipeline.statistics.sheets import read_subsets

    keep = keep_in(dbt.config.get("cache"))
    subsets = read_subsets(dbt.ref("revised_answers"), dbt.ref("stg_images"))
    found = [revision_effects(subset, keep, dbt.config.get("draws")) for subset in subsets]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found]).to_arrow()
