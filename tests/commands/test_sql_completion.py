"""What a question that is being typed can become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.commands.sql_completion import Candidate, complete
from eve_pipeline.warehouse.dictionary import Column, Table

SCORES = Table("marts", "scores", "Scores.", [Column("model", "VARCHAR", "Key."), Column("f1", "DOUBLE", "Mean of F1.")])
IMAGES = Table("raw", "images", "Pictures.", [Column("image_id", "VARCHAR", "Name."), Column("f2", "BIGINT", "Size (px).")])
TABLES = {"marts.scores": SCORES, "raw.images": IMAGES}
QUESTIONS = {"leaderboard": "Which models are best?", "from_where": "Where from?"}


def texts(before: str, after: str = "") -> list[str]:
    return [found.text for found in complete(before, after, TABLES, QUESTIONS)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("", "", ["leaderboard", "from_where"]),
        ("lead", "", ["leaderboard"]),
        ("select * from lead", "", []),
        ("sel", "", ["select"]),
        ("SEL", "", ["select"]),
        ("select * from ", "", ["marts.scores", "raw.images"]),
        ("select * from raw", "", ["raw.images"]),
        ("select * from raw.", "", ["raw.images"]),
        ("select * from im", "", ["raw.images"]),
        ("describe sc", "", ["marts.scores"]),
        ("select * from marts.scores where mod", "", ["model"]),
        ("select f", " from marts.scores join raw.images", ["f1", "f2", "from", "filter"]),
        ("select i.", " from raw.images as i", ["i.image_id", "i.f2"]),
        ("select I.f", " from raw.images I", ["i.f2"]),
        ("select scores.", " from marts.scores where true", ["scores.model", "scores.f1"]),
        ("select raw.images.image", " from raw.images", ["raw.images.image_id"]),
        ("select nothing.", " from raw.images", []),
        ("select 'from ", "", []),
        ("select 'it''s' from ma", "", ["marts.scores"]),
        ("select 1 -- from ", "", []),
        ("select 1 /* from ", "", []),
        ("select 1 -- from\nfrom ma", "", ["marts.scores"]),
        ("select * from marts.scores", "", []),
    ],
)
def test_what_can_follow(before: str, after: str, found: list[str]):
    assert texts(before, after) == found


def test_each_candidate_says_what_it_means_and_what_it_replaces():
    assert complete("select * from sc", "", TABLES, QUESTIONS) == [Candidate("marts.scores", 2, "Scores.")]
    assert complete("select f1 from marts.scores where mo", "", TABLES, {}) == [Candidate("model", 2, "varchar: Key.")]
    assert complete("lead", "", TABLES, QUESTIONS) == [Candidate("leaderboard", 4, "Which models are best?")]


@given(before=st.text(), after=st.text())
def test_any_text_can_be_typed(before: str, after: str):
    for found in complete(before, after, TABLES, QUESTIONS):
        assert before.lower().endswith(found.text[: found.n_typed].lower()) or "." in found.text
