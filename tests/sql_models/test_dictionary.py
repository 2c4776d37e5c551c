"""The data dictionary describes every table and column of the published database."""

from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.dictionary import SCHEMAS, Table, page, pick_table, row_counts, tables

PAGE = PROJECT / "docs" / "tables.md"
UPDATE = "it is made by: eve publish && eve sql --dictionary --output docs/tables.md"


@pytest.fixture(scope="module")
def known(database: Path) -> dict[str, Table]:
    return tables(database)


def test_no_table_and_no_column_lacks_a_meaning(known: dict[str, Table]) -> None:
    assert [table.key for table in known.values() if not table.meaning] == []
    assert [f"{table.key}.{column.name}" for table in known.values() for column in table.columns if not column.meaning] == []


def test_every_model_seed_and_contract_is_there(known: dict[str, Table]) -> None:
    project = PROJECT / "dbt_like_models"
    files = [file for kind in ("sql", "py") for file in project.glob(f"models/*/*.{kind}")] + [*project.glob("seeds/*.csv")]
    schemas = {file: file.parent.name for file in files}
    assert set(known) == {f"{schemas[file]}.{file.stem}" for file in files} | {f"raw.{table}" for table in contracts()}
    assert {table.schema for table in known.values()} == set(SCHEMAS)


def test_units_stand_beside_meanings(known: dict[str, Table]) -> None:
    columns = {column.name: column for column in known["raw.images"].columns}
    assert (columns["width"].type, columns["width"].meaning) == ("BIGINT", "width after EXIF orientation (px)")


def test_the_page_is_of_this_database(known: dict[str, Table]) -> None:
    assert PAGE.read_text() == page(known, Settings()), UPDATE


def test_links_of_the_page_lead_to_definitions(known: dict[str, Table]) -> None:
    text = page(known, Settings())
    for definition in (
        "dbt_like_models/models/marts/weighted_f1.sql",
        "dbt_like_models/models/intermediate/intervals.py",
        "dbt_like_models/seeds/affect_schemes.csv",
        "eve_pipeline/warehouse/contracts/answers.yaml",
    ):
        assert f"Defined in [{definition}](../{definition})." in text
    assert "| [weighted_f1](#martsweighted_f1) |" in text
    assert "\n### marts.weighted_f1\n" in text


def test_rows_are_counted(database: Path, known: dict[str, Table]) -> None:
    counts = row_counts(database, known.values())
    assert (counts["raw.images"], counts["staging.stg_images"], counts["raw.rejected_images"]) == (360, 360, 0)


def test_a_table_goes_by_its_name_where_that_is_enough(known: dict[str, Table]) -> None:
    assert pick_table("weighted_f1", known) is pick_table("marts.weighted_f1", known) is known["marts.weighted_f1"]
    both = {key: Table(schema, "t", "", []) for key, schema in (("a.t", "a"), ("b.t", "b"))}
    assert pick_table("b.t", both).schema == "b"
    with pytest.raises(EveError, match=r"no table 't'\nKnown: a.t, b.t"):
        pick_table("t", both)
