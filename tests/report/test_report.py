"""The report: whole, self-contained, honest about what is missing, and true to the database."""

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import polars as pl
import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.report import figures
from eve_pipeline.report.sections import FILE, sections
from eve_pipeline.report.style import series_look
from eve_pipeline.report.writing import Shows, code, show_section, shown, summary_pictures, told, write_report
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table
from tests.sql_models.conftest import config, image
from tests.sql_models.test_open_vocabulary import CELL

HOSTILE = "<script>alert('x')</script> & \"quotes\""


class Page(HTMLParser):
    """What a browser would see: tags that are not closed, links, and text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two models under four prompts, one of them open; one cell is incomplete, and one word is hostile."""
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse, labels = Warehouse.of(settings), ("awe", "fear", "sadness", "joy")
    images = pl.DataFrame([image("d", number, labels[number % 4], "single") for number in range(40)], infer_schema_length=None)
    write_table(images, "images", warehouse.file("images", "d"))
    for model in ("one", "two"):
        for prompt in ("simple", "positive_persona", "open", "negative_first"):
            cell = CELL | {"model": model, "prompt": prompt}
            said = [labels[number % 4] if (number * 7 + len(prompt)) % 3 else labels[number % 3] for number in range(40)]
            answers = images.select("dataset", "image_id").with_columns(
                status=pl.lit("ok"), label=pl.Series(said), raw_label=pl.Series(said), repeat=0, config_digest=pl.lit(prompt),
                parser_version=pl.lit("1"), is_current=pl.lit(value=True), **{name: pl.lit(key) for name, key in cell.items()},
            )  # fmt: skip
            if (model, prompt) == ("two", "simple"):
                failed = pl.col("image_id") == "001"
                answers = answers.with_columns(
                    pl.when(failed).then(pl.lit("error")).otherwise("status").alias("status"), pl.when(~failed).then("label").alias("label")
                )
            if prompt == "open":
                odd = pl.col("image_id").is_in(["003", "004"])
                answers = answers.with_columns(
                    pl.when(odd).then(pl.lit("out_of_vocabulary")).otherwise("status").alias("status"),
                    pl.when(~odd).then("label").alias("label"),
                    pl.when(odd).then(pl.lit(HOSTILE)).otherwise("raw_label").alias("raw_label"),
                )
            write_table(answers, "answers", warehouse.file("answers", model, f"d.{prompt}"))
            row = config(cell, prompt, is_current=True).with_columns(
                is_open=pl.lit(prompt == "open"), model_id=pl.lit(HOSTILE), label_order=pl.lit([*labels], dtype=pl.List(pl.String))
            )
            write_table(row, "configs", warehouse.file("configs", model, f"d.{prompt}"))
    publish(warehouse, settings)
    return settings


@pytest.fixture(scope="module")
def page(published: Settings) -> Page:
    return Page(write_report(Warehouse.of(published).database, published.home / "report.html"))


def test_every_section_is_there_and_closed(page):
    assert page.open == []
    assert page.tags.count("h2") == len(sections()) + 2  # method and provenance
    assert "".join(page.words).count("The numbers") >= 8


def test_it_needs_nothing_but_itself(page):
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in page.links)
    assert "script" not in page.tags
    assert "link" not in page.tags


def test_what_models_and_users_write_is_text(page):
    assert HOSTILE in "".join(page.words)


def test_numbers_are_the_databases(page, published):
    with duckdb.connect(Warehouse.of(published).database.resolve(), read_only=True) as connection:
        rows = connection.sql(
            "select weighted_f1, ci_low, ci_high from marts.weighted_f1 where prompt = 'simple' and scoring = 'strict'"
        ).fetchall()
    assert len(rows) == 2
    assert all(f"{value:.3f}" in page.words for row in rows for value in row)


def test_what_is_incomplete_is_marked(page):
    assert "two †" in page.words
    assert "one †" not in page.words


def test_sections_without_rows_say_how_to_get_some(page):
    text = "".join(page.words)
    assert "Nothing here yet. Ask a sampling model several times: eve run --model MODEL --dataset DATASET --repeats 5." in text


def test_an_empty_database_has_a_report(empty_home, tmp_path):
    page = Page(write_report(Warehouse.of(empty_home).database, tmp_path / "report.html"))
    assert "".join(page.words).count("Nothing here yet.") == len(sections()) - 1  # the paper's figures are always there


def test_without_a_publication_it_says_what_to_do(tmp_path):
    with pytest.raises(EveError, match="There is no published database"):
        write_report(tmp_path / "eve.duckdb", tmp_path / "report.html")


def test_a_database_of_another_version_says_what_to_do(tmp_path):
    duckdb.connect(tmp_path / "eve.duckdb").close()
    with pytest.raises(EveError) as error:
        write_report(tmp_path / "eve.duckdb", tmp_path / "report.html")
    assert error.value.hint == "Run `eve publish`."
    assert not (tmp_path / "report.html").exists()


def test_a_database_without_a_column_of_today_says_what_to_do(published, tmp_path):
    older = shutil.copy(Warehouse.of(published).database.resolve(), tmp_path / "eve.duckdb")
    with duckdb.connect(older) as connection:
        connection.execute("alter table marts.weighted_f1 drop column macro_f1")
    with pytest.raises(EveError, match="lacks what the report shows") as error:
        write_report(older, tmp_path / "report.html")
    assert error.value.hint == "Run `eve publish`."


def test_every_figure_is_used_and_parts_share_their_axis(published):
    used = {section.figure for section in sections() if section.figure}
    assert used == {
        name
        for name, value in vars(figures).items()
        if callable(value) and value.__module__ == figures.__name__ and name.islower() and name[0] != "_"
    }
    rows = pl.DataFrame({"model": ["a", "b"], "weighted_f1": [0.2, 0.8], "ci_low": [0.1, 0.7], "ci_high": [0.3, 0.9]})
    domains = [figures.leaderboard(rows[part], rows).to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] for part in (0, 1)]
    assert domains[0] == domains[1] == pytest.approx([0.06, 0.94])


def test_a_stacked_bar_is_in_the_order_of_its_legend():
    rows = pl.DataFrame({"model": ["m"] * 3, "category": ["III", "I", "II"], "share": [0.5, 0.2, 0.3]})
    chart = figures.error_categories(rows, rows).to_dict()
    (values,) = [data for data in chart["datasets"].values() if len(data) == 3 and "at" not in data[0]]
    assert [(row["category"], pytest.approx(row["end"])) for row in values] == [("I", 0.2), ("II", 0.5), ("III", 1.0)]
    assert chart["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["I", "II", "III"]


def test_tables_show_what_is_not_known_and_what_is_tiny():
    values = (None, True, 0.12345, 0.0001, 0.0, -0.0, -0.0001, -0.5, 12345, "x")
    assert [shown(value) for value in values] == ["-", "yes", "0.123", "< 0.001", "0.000", "0.000", "> -0.001", "-0.500", "12,345", "x"]


def test_a_figure_is_told_in_words(page, published):
    with duckdb.connect(Warehouse.of(published).database.resolve(), read_only=True) as connection:
        [figure] = show_section(sections()[0], connection, Shows()).figures
        [(best, low, high)] = connection.sql(
            "select weighted_f1, ci_low, ci_high from marts.weighted_f1 where prompt = 'simple' and model = 'one' and scoring = 'strict'"
        ).fetchall()
    assert f"one {best:.3f} ({low:.3f} to {high:.3f})" in figure.alternative
    assert all(section.tells for section in sections() if section.figure)
    many = pl.DataFrame({"model": [f"m{number}" for number in range(20)], "weighted_f1": 0.5, "ci_low": 0.4, "ci_high": 0.6})
    assert told(sections()[0], many).endswith("m11 0.500 (0.400 to 0.600); and 8 more in the table below")


def test_words_that_are_no_label_are_shown(page):
    assert "Words that are no label" in page.words
    assert page.words.count(HOSTILE.lower()) == 4  # the id and the word of each model


def test_readers_of_the_replies_are_in_the_provenance(page):
    assert "Readers of the replies" in page.words


def test_a_prompt_or_subset_that_has_no_cell_is_an_error(published, tmp_path):
    for shows, problem in ((Shows("nonsense"), "No cell has prompt nonsense"), (Shows(subsets=["d", "e"]), "No cell has subset e")):
        with pytest.raises(EveError, match=problem) as error:
            write_report(Warehouse.of(published).database, tmp_path / "report.html", shows)
        assert error.value.hint.startswith("Published are: ")


def test_only_the_subsets_that_are_asked_for_are_shown(published):
    section = next(section for section in sections() if section.title == "Confusion matrices")
    with duckdb.connect(Warehouse.of(published).database.resolve(), read_only=True) as connection:
        assert show_section(section, connection, Shows(subsets=["d"])).table.height
        assert show_section(section, connection, Shows(subsets=["other"])).table.is_empty()


def test_a_publication_in_another_folder_is_dated_by_its_file(published, tmp_path):
    copy = tmp_path / "copied" / "eve.duckdb"
    copy.parent.mkdir()
    shutil.copy(Warehouse.of(published).database.resolve(), copy)
    os.utime(copy, (0, 0))
    assert "1970-01-01 00:00 UTC" in " ".join(Page(write_report(copy, tmp_path / "report.html")).words)


def test_series_look_different():
    looks = [series_look(number) for number in range(28)]
    assert len({(colour, shape) for colour, shape, _ in looks}) == len({(colour, tuple(dash)) for colour, _, dash in looks}) == 28


def test_code_is_marked_and_the_rest_escaped():
    assert code("Run `eve <x>` & go") == "Run <code>eve &lt;x&gt;</code> &amp; go"


def test_sections_are_listed_in_a_file_that_refuses_what_cannot_be_drawn():
    assert FILE.exists()
    with pytest.raises(ValueError, match="draws no 'pie'"):
        type(sections()[0]).model_validate({"title": "t", "caption": "c", "sql": "select 1", "empty": "e", "figure": "pie"})


def test_a_section_binds_the_prompt(published):
    with duckdb.connect(Warehouse.of(published).database.resolve(), read_only=True) as connection:
        leaderboard = show_section(sections()[0], connection, Shows("open"))
    assert "under the prompt open" in leaderboard.caption
    assert [figure.heading for figure in leaderboard.figures] == ["d"]
    assert leaderboard.table["model"].sort().to_list() == ["one", "two"]


def test_the_summary_is_of_pictures(published):
    pictures = summary_pictures(Warehouse.of(published).database)
    assert {"Leaderboard", "Prompt sensitivity", "Error categories"} <= set(pictures)
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert all(len(picture) < 100_000 for picture in pictures.values())


def test_a_picture_of_the_summary_holds_a_few_parts(published, monkeypatch):
    drawn = []
    monkeypatch.setattr("eve_pipeline.report.writing.png", lambda chart: drawn.append(len(chart.concat)) or b"")
    monkeypatch.setattr("eve_pipeline.report.writing.MOST_CHARTS", 1)
    summary_pictures(Warehouse.of(published).database)
    assert set(drawn) == {1}
