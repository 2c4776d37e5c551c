"""Intervals of what open answers come to under every threshold, by resampling images."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.open_vocabulary` computes for every subset."""
    import polars as pl

    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.open_vocabulary import SCHEMA, open_intervals
    from eve_pipeline.statistics.sheets import read_subsets

    thresholds = [threshold for threshold, _ in dbt.ref("open_thresholds").order("threshold").fetchall()]
    keep = keep_in(dbt.config.get("cache"))
    subsets = read_subsets(dbt.ref("open_readings"), dbt.ref("stg_images"))
    found = [open_intervals(subset, thresholds, keep, dbt.config.get("draws")) for subset in subsets]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found]).to_arrow()
