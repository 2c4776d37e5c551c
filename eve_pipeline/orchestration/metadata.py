"""What people see beside a materialization."""

import base64

import dagster as dg
import polars as pl

PREVIEW_ROWS = 8
FAILED_CELLS = "failed cells"
"""Metadata of a failure, so that alerts can name them."""


def table(frame: pl.DataFrame, rows: int = PREVIEW_ROWS) -> dg.MarkdownMetadataValue:
    """Return the first rows of a frame as a Markdown table."""
    with pl.Config(tbl_formatting="ASCII_MARKDOWN", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_rows=rows):
        pl.Config.set_tbl_cols(-1).set_fmt_str_lengths(80).set_tbl_width_chars(1000)
        return dg.MetadataValue.md(str(frame.head(rows)))


def picture(image: bytes, description: str) -> dg.MarkdownMetadataValue:
    """Return a JPEG or PNG as an inline picture."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return dg.MetadataValue.md(f"![{description}](data:image/{kind};base64,{base64.b64encode(image).decode()})")
