"""Write the report: one HTML file with everything in it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
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
MOST_CHARTS = 9
"""Charts in one picture of the summary: beside a materialization pictures are kept for ever."""

MOST_TOLD = 12
"""Rows that the words beside a figure tell; all are in the table below it."""

PLAIN_PROMPT = "simple"
SMALLEST = 0.0005
"""What three decimals would round to nothing."""

IS_SHOWN = "($subsets::varchar[] is null or list_contains($subsets::varchar[], subset))"
MODELS = f"""
    select model, any_value(model_id) as id, string_agg(distinct model_revision, ', ' order by model_revision) as revision
    from raw.configs where is_current and {IS_SHOWN} group by model order by model
"""  # noqa: S608 - a condition
PROMPTS = f"""
    select prompt, string_agg(distinct prompt_revision, ', ' order by prompt_revision) as revision from raw.configs
    where is_current and {IS_SHOWN} group by prompt order by prompt
"""  # noqa: S608 - as above
SUBSETS = f"""
    select subset, dataset, count(*) as images, count(label) as with_label from raw.benchmark_items
    left join staging.stg_images using (dataset, image_id) where {IS_SHOWN} group by all order by subset
"""  # noqa: S608 - as above
PARSERS = f"""
    select parser_version, count(distinct (model, subset, prompt)) as cells, count(*) as answers from staging.stg_answers
    where {IS_SHOWN} group by all order by all
"""  # noqa: S608 - as above
PROVENANCE = {"Models": MODELS, "Prompts": PROMPTS, "Subsets": SUBSETS, "Readers of the replies": PARSERS}


class Shows(NamedTuple):
    """The prompt of what is shown under a single one, and the subsets that are shown; none means all."""

    prompt: str = PLAIN_PROMPT
    subsets: Sequence[str] = ()


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


def write_report(database: Path, file: Path, shows: Shows = Shows()) -> Path:  # noqa: B008 - it cannot be changed
    """Write the report of a published database to one HTML file, and return it.

    Args:
        database: the published database.
        file: where to write; it is replaced whole.
        shows: the prompt of the leaderboard and of what is shown under a single prompt, and the subsets.

    Raises:
        EveError: there is no database, it was published by an older version, or it has no such prompt or subset.
    """
    if not database.exists():
        raise EveError(f"There is no published database at {database}", "Run `eve demo` or `eve publish` first.")
    published = database.resolve()
    with duckdb.connect(published, read_only=True) as connection:
        try:
            _check(shows, connection)
            page = _page(connection, published, shows)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise EveError(f"The published database lacks what the report shows: {error}", "Run `eve publish`.") from error
    with replacing(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return file


def _check(shows: Shows, connection: duckdb.DuckDBPyConnection) -> None:
    cells = connection.table("intermediate.cells").pl()
    for column, asked in (("prompt", {shows.prompt} - {PLAIN_PROMPT}), ("subset", set(shows.subsets))):
        known = set(cells[column])
        if unknown := sorted(asked - known):
            raise EveError(f"No cell has {column} {', '.join(unknown)}", f"Published are: {', '.join(sorted(known)) or 'none'}.")


def _published_at(database: Path) -> datetime:
    """Return when a publication began to read: its folder's name says so; of any other folder, when the file was written."""
    try:
        return ULID.from_str(database.parent.name).datetime
    except ValueError:
        return datetime.fromtimestamp(database.stat().st_mtime, UTC)


def _page(connection: duckdb.DuckDBPyConnection, published: Path, shows: Shows) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shown": shown, "code": code}
    return environment.get_template("report.html.jinja").render(
        sections=[show_section(section, connection, shows) for section in sections()],
        style=(HERE / "report.css").read_text(encoding="utf-8"),
        published=f"{_published_at(published):%Y-%m-%d %H:%M} UTC",
        publication=published.parent.name,
        version=version("eve_pipeline"),
        provenance={name: connection.sql(sql, params={"subsets": shows.subsets or None}).pl() for name, sql in PROVENANCE.items()},
    )


def show_section(section: Section, connection: duckdb.DuckDBPyConnection, shows: Shows) -> Shown:
    """Return a section with its rows and a figure for each of its parts."""
    rows = _rows(section, connection, shows)
    caption, empty = (text.replace("{prompt}", shows.prompt) for text in (section.caption, section.empty))
    figures = [
        Figure(heading, svg(chart), f"{section.title}, {heading}: {told(section, part)}.")
        for heading, part, chart in _charts(section, rows)
    ]
    return Shown(section.title, caption, empty, figures, rows)


def told(section: Section, part: pl.DataFrame) -> str:
    """Return what a figure shows in words, its first rows one after the other."""
    rows = part.filter(pl.sql_expr(section.told))
    words = [section.tells.format_map({name: shown(value) for name, value in row.items()}) for row in rows.iter_rows(named=True)]
    more = [f"and {rows.height - MOST_TOLD} more in the table below"] if rows.height > MOST_TOLD else []
    return "; ".join([*words[:MOST_TOLD], *more])


def summary_pictures(database: Path) -> dict[str, bytes]:
    """Return a PNG for each section that is in the summary and has rows, by title; of many parts the first ones."""
    import altair as alt

    with duckdb.connect(database.resolve(), read_only=True) as connection:
        found = {
            section.title: [
                chart.properties(title=heading)
                for heading, _, chart in islice(_charts(section, _rows(section, connection, Shows())), MOST_CHARTS)
            ]
            for section in sections()
            if section.summary
        }
    return {title: png(alt.concat(*charts, columns=COLUMNS)) for title, charts in found.items() if charts}


def _rows(section: Section, connection: duckdb.DuckDBPyConnection, shows: Shows) -> pl.DataFrame:
    parameters = {"prompt": shows.prompt} if "$prompt" in section.sql else None
    rows = section.marked(connection.sql(section.sql, params=parameters).pl())
    return rows.filter(pl.col("subset").is_in(shows.subsets)) if shows.subsets and "subset" in rows.columns else rows


def _charts(section: Section, rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame, Any]]:
    """Yield heading, rows and chart (altair's have no common type) of each part."""
    draw = section.draw
    if draw is None:
        return
    drawn = rows.filter(pl.sql_expr(section.figured))
    for key, part in drawn.partition_by(section.parts, as_dict=True, maintain_order=True).items():
        yield " · ".join(str(value) for value in key), part, draw(part, drawn)


def shown(value: Any) -> str:  # noqa: ANN401 - any cell of a table
    """Return a cell as text: three decimals, thousands apart, a dash where nothing is known."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if 0 < abs(value) < SMALLEST:
            return "< 0.001" if value > 0 else "> -0.001"
        return f"{value + 0.0:.3f}"  # no sign before nothing
    return f"{value:,}" if isinstance(value, int) else str(value)


def code(text: str) -> Markup:
    """Return text as HTML, what stands between backticks as code."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in parts)
