"""Intervals of every cell's scores, by resampling images."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.intervals` computes for every subset."""
    import polars as pl

    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.intervals import SCHEMA, cell_intervals
    from eve_pipeline.statistics.sheets import read_subsets

    schemes, keep = dbt.ref("affect_schemes").pl(), keep_in(dbt.config.get("cache"))
    subsets = read_subsets(dbt.ref("stg_answers"), dbt.ref("stg_images"))
    found = [cell_intervals(subset, schemes, keep, dbt.config.get("draws")) for subset in subsets]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found]).to_arrow()
