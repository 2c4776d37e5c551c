"""Jobs: what is launched together."""

import dagster as dg

prepare = dg.define_asset_job(
    "prepare",
    selection=dg.AssetSelection.groups("datasets"),
    description="Read a dataset's images and choose its subsets; one partition a dataset.",
)
evaluate = dg.define_asset_job(
    "evaluate",
    selection=dg.AssetSelection.groups("evaluation"),
    description="Ask models and read their replies; for one cell, one row or the whole grid.",
)
publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.groups("staging", "intermediate", "marts", "seeds", "report"),
    description="Build eve.duckdb from the Parquet tables and the SQL models, test it, switch to it, and write the report.",
)
