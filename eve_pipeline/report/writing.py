"""Write the report: one HTML file with everything in it."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl
from markupsafe import Markup, escape
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.report.sections import Section, sections
from eve_pipeline.report.style import png, svg

HERE = Path(__file__).parent
COLUMNS = 3
PLAIN_PROMPT = "simple"
SMALLEST = 0.0005
"""What three decimals would round to nothing."""

MODELS = """
    select model, any_value(model_id) as id, string_agg(distinct model_revision, ', ' order by model_revision) as revision
    from raw.configs where is_current group by model order by model
"""
PROMPTS = """
    select prompt, string_agg(distinct prompt_revision, ', ' order by prompt_revision) as revision from raw.configs where is_current
    group by prompt order by prompt
"""
SUBSETS = """
    select subset, dataset, count(*) as images, count(label) as with_label from raw.benchmark_items
    left join staging.stg_images using (dataset, image_id) group by all order by subset
"""


class Figure(NamedTuple):
    """A picture with its heading and the words that stand for it where it cannot be seen."""

    heading: str
    picture: str
    alternative: str


class Shown(NamedTuple):
    """A section as the page has it."""

    title: str
    caption: str
    empty: str
    figures: list[Figure]
    table: pl.DataFrame


def write_report(database: Path, file: Path, prompt: str = PLAIN_PROMPT) -> Path:
    """Write the report of a published database to one HTML file, and return it.

    Args:
        database: the published database.
        file: where to write; it is replaced whole.
        prompt: the prompt of the leaderboard and of what is shown under a single prompt.

    Raises:
        EveError: there is no database, or it was published by an older version.
    """
    if not database.exists():
        raise EveError(f"There is no published database at {database}", "Run `eve demo` or `eve publish` first.")
    published = database.resolve()
    with duckdb.connect(published, read_only=True) as connection:
        try:
            page = _page(connection, published, prompt)
        except duckdb.CatalogException as error:
            raise EveError(f"The published database lacks what the report shows: {error}", "Run `eve publish`.") from error
    with replacing(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return file


def _page(connection: duckdb.DuckDBPyConnection, published: Path, prompt: str) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shown": shown, "code": code}
    return environment.get_template("report.html.jinja").render(
        sections=[show_section(section, connection, prompt) for section in sections()],
        style=(HERE / "report.css").read_text(encoding="utf-8"),
        published=f"{ULID.from_str(published.parent.name).datetime:%Y-%m-%d %H:%M} UTC",
        publication=published.parent.name,
        version=version("eve_pipeline"),
        provenance={name: connection.sql(sql).pl() for name, sql in (("Models", MODELS), ("Prompts", PROMPTS), ("Subsets", SUBSETS))},
    )


def show_section(section: Section, connection: duckdb.DuckDBPyConnection, prompt: str) -> Shown:
    """Return a section with its rows and a figure for each of its parts."""
    rows = _rows(section, connection, prompt)
    caption, empty = (text.replace("{prompt}", prompt) for text in (section.caption, section.empty))
    figures = [
        Figure(heading, svg(chart), f"{section.title}, {heading}: {n} rows, listed in the table below.")
        for heading, n, chart in _charts(section, rows)
    ]
    return Shown(section.title, caption, empty, figures, rows)


def summary_pictures(database: Path, prompt: str = PLAIN_PROMPT) -> dict[str, bytes]:
    """Return a PNG for each section that is in the summary and has rows, by title."""
    import altair as alt

    with duckdb.connect(database.resolve(), read_only=True) as connection:
        found = {
            section.title: [chart.properties(title=heading) for heading, _, chart in _charts(section, _rows(section, connection, prompt))]
            for section in sections()
            if section.summary
        }
    return {title: png(alt.concat(*charts, columns=COLUMNS)) for title, charts in found.items() if charts}


def _rows(section: Section, connection: duckdb.DuckDBPyConnection, prompt: str) -> pl.DataFrame:
    parameters = {"prompt": prompt} if "$prompt" in section.sql else None
    return section.marked(connection.sql(section.sql, params=parameters).pl())


def _charts(section: Section, rows: pl.DataFrame) -> Iterator[tuple[str, int, Any]]:
    """Yield heading, number of rows and chart (altair's have no common type) of each part."""
    draw = section.draw
    if draw is None:
        return
    drawn = rows.filter(pl.sql_expr(section.figured))
    for key, part in drawn.partition_by(section.parts, as_dict=True, maintain_order=True).items():
        yield " · ".join(str(value) for value in key), part.height, draw(part, drawn)


def shown(value: Any) -> str:  # noqa: ANN401 - any cell of a table
    """Return a cell as text: three decimals, thousands apart, a dash where nothing is known."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "< 0.001" if 0 < value < SMALLEST else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def code(text: str) -> Markup:
    """Return text as HTML, what stands between backticks as code."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in parts)
