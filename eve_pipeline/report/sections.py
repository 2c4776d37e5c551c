"""What the report shows: each section is a query, a figure for each part of its rows, and words about it (`sections.yaml`)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator

from eve_pipeline.registry import read_yaml
from eve_pipeline.report import figures

if TYPE_CHECKING:
    import altair as alt

FILE = Path(__file__).with_name("sections.yaml")
INCOMPLETE = " †"


class Section(BaseModel):
    """One section; `sections.yaml` says what its fields are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    caption: str
    sql: str
    empty: str
    mark: str | None = None
    figure: str | None = None
    parts: tuple[str, ...] = ()
    figured: str = "true"
    tells: str = ""
    told: str = "true"
    summary: bool = False

    @field_validator("figure")
    @classmethod
    def _is_drawn(cls, figure: str | None) -> str | None:
        if figure is not None and not hasattr(figures, figure):
            raise ValueError(f"figures.py draws no {figure!r}")
        return figure

    @property
    def draw(self) -> "Callable[[pl.DataFrame, pl.DataFrame], alt.TopLevelMixin] | None":
        """The function that draws a part of the rows beside all of them; None where the section is a table alone."""
        return getattr(figures, self.figure) if self.figure else None

    @property
    def marts(self) -> list[str]:
        """The marts that the section reads."""
        return sorted(set(re.findall(r"marts\.(\w+)", self.sql)))

    def marked(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with a dagger behind the names of what is incomplete, in place of the column `is_complete`."""
        if not self.mark:
            return rows
        dagger = pl.when("is_complete").then(pl.lit("")).otherwise(pl.lit(INCOMPLETE))
        return rows.with_columns(pl.col(self.mark) + dagger).drop("is_complete")


def sections() -> list[Section]:
    """Return the report's sections, in order."""
    return TypeAdapter(list[Section]).validate_python(read_yaml(FILE))
