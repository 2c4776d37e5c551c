"""Every page, run as a script on the demo's results; numbers come from the database by another query."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from eve_pipeline.explorer.app import PAGES
from eve_pipeline.settings import Settings
from tests.explorer.conftest import Edition, View

CELL = {"subset": "sample", "model": "demo-llava-small", "prompt": "simple"}


@pytest.fixture
def asked(demo_home: Path) -> Callable[[str], pl.DataFrame]:
    def ask(sql: str) -> pl.DataFrame:
        with duckdb.connect((demo_home / "eve.duckdb").resolve(), read_only=True) as connection:
            return connection.sql(sql).pl()

    return ask


def texts(page: AppTest) -> str:
    return "\n".join(text.value for text in page.text)


def html(page: AppTest) -> str:
    return "\n".join(part.value for part in page.get("html")).replace("<wbr>", "")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens(view: View, name: str):
    page = view(name)
    assert page.title[0].value
    assert not page.error


def test_the_leaderboard_has_all_models_with_intervals_and_marks_what_is_incomplete(view: View, asked: Callable, edition: Edition):
    page = view("leaderboard", subset="sample", prompt="explanation")
    best = asked(
        "select model, round(weighted_f1, 3)::varchar as f1, round(ci_low, 3)::varchar as low, round(ci_high, 3)::varchar as high "
        "from marts.weighted_f1 where subset = 'sample' and prompt = 'explanation' and scoring = 'strict' order by weighted_f1 desc"
    ).to_dicts()
    assert f"{best[0]['model']} is first of 2 with {float(best[0]['f1']):.3f}" in texts(page)
    assert all(f"{row['model']}" in html(page) for row in best)
    assert f"from {float(best[1]['low']):.3f} to {float(best[1]['high']):.3f}" in html(page)
    assert "†" not in html(page)

    edition("update marts.weighted_f1 set is_complete = false where model = 'demo-llava-small'")
    assert html(view("leaderboard", subset="sample")).count("<abbr") == 1


def test_levels_and_schemes_change_the_board(view: View, asked: Callable):
    page = view("leaderboard", subset="sample", level="arousal", scheme="norms", scoring="answered")
    value = asked(
        "select weighted_f1 from marts.affect_f1 where subset = 'sample' and prompt = 'simple' and dimension = 'arousal' "
        "and scheme = 'norms' and scoring = 'answered' and model = 'demo-llava-base'"
    )["weighted_f1"].item()
    assert f"{value:.3f}" in html(page)


def test_a_value_that_the_address_should_not_have_is_replaced(view: View):
    page = view("leaderboard", subset="nonsense", prompt="'; drop table marts.weighted_f1; --", level="mood")
    assert page.selectbox(key="subset").value == "sample"
    assert page.selectbox(key="prompt").value == "simple"


def test_a_model_has_its_classes_and_the_images_of_a_cell(view: View, asked: Callable):
    page = view("model", **CELL, truth="disgust", said="anger")
    n = asked(
        "select n from marts.confusion where subset = 'sample' and model = 'demo-llava-small' and prompt = 'simple' "
        "and truth = 'disgust' and predicted = 'anger'"
    )["n"].item()
    assert f"{n:,} answers about {n:,} images of truth 'disgust' answered 'anger'." in texts(page)
    captions = [text.value for text in page.text if "→" in text.value]
    assert len(captions) == min(n, 24)
    assert set(captions) == {"disgust → anger"}
    assert [button.label for button in page.button].count("All replies") == min(n, 24)


def test_two_models_are_compared_from_either_side(view: View, asked: Callable):
    delta, first, second = asked(
        "select delta, count_if(small and not base), count_if(base and not small) from marts.model_comparison, "
        "(select a.label is not distinct from i.label as base, b.label is not distinct from i.label as small "
        " from staging.stg_answers a join staging.stg_answers b using (subset, dataset, image_id, prompt) "
        " join raw.images i using (dataset, image_id) where subset = 'sample' and prompt = 'simple' and i.label is not null "
        " and a.model = 'demo-llava-base' and b.model = 'demo-llava-small') "
        "where subset = 'sample' and prompt = 'simple' and scoring = 'strict' group by delta"
    ).row(0)
    page = view(
        "compare", subset="sample", prompt="simple", one="demo-llava-small", other="demo-llava-base", kind="only the first is right"
    )
    assert f"{-delta:.3f}" in html(page)
    assert f"{first} for the first, {second} for the second" in texts(page)
    assert f"{first} images; the answer of the first stands first." in texts(page)


def test_two_prompts_are_compared_and_revisions_say_where_there_are_none(view: View):
    against_simple = view(
        "compare", what="prompts", subset="sample", model="demo-llava-base", first_prompt="no_labels", second_prompt="simple"
    )
    assert "no_labels - simple" in html(against_simple)
    others = view(
        "compare", what="prompts", subset="sample", model="demo-llava-base", first_prompt="no_labels", second_prompt="explanation"
    )
    assert "Exact McNemar test" in texts(others)
    same = view("compare", what="prompts", subset="sample", model="demo-llava-base", first_prompt="simple", second_prompt="simple")
    assert "Both sides are the same prompt." in texts(same)
    assert "No cell has an earlier revision." in texts(view("compare", what="revisions"))


def test_prompt_effects_are_sorted_and_label_orders_are_shown(view: View, asked: Callable):
    page = view("prompts", subset="sample", model="demo-llava-base")
    best = asked(
        "select prompt from marts.prompt_effects where subset = 'sample' and model = 'demo-llava-base' and scoring = 'strict' "
        "order by delta desc, prompt"
    )["prompt"].to_list()
    board = html(page)
    places = [board.index(f">{prompt}</th>") for prompt in best]
    assert places == sorted(places)
    assert "negative_first against simple" in board


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({"agreement": "all models wrong"}, "not bool_or(hit) and any_value(truth) is not null"),
        ({"agreement": "models disagree"}, "count(distinct reading) > 1"),
        ({"agreement": "all models right"}, "bool_and(hit)"),
        ({"label": "fear"}, "any_value(truth) = 'fear'"),
        ({"label": "(none)"}, "any_value(truth) is null"),
        ({"of": "demo-llava-base", "outcome": "wrong"}, "bool_or(model = 'demo-llava-base' and not hit and truth is not null)"),
        ({"of": "demo-llava-base", "outcome": "right"}, "bool_or(model = 'demo-llava-base' and hit)"),
        ({"name": "ABSTRACT_01"}, "image_id like 'abstract_01%'"),
        ({"votes": "raters are split (below 50 %)"}, "any_value(most) < 0.5"),
        ({"votes": "tie, no label"}, "any_value(label_status) = 'tie'"),
    ],
)
def test_filters_find_the_images_that_another_query_finds(view: View, asked: Callable, filters: dict[str, str], condition: str):
    n = asked(
        "select count(*)::int from (select image_id from "
        "(select a.model, image_id, i.label as truth, coalesce(a.label, a.status) as reading, "
        "coalesce(a.label = i.label, false) as hit, i.label_status, list_max([v.share for v in i.votes]) as most "
        "from staging.stg_answers a join raw.images i using (dataset, image_id) where subset = 'sample' and prompt = 'simple') "
        f"group by image_id having {condition})"
    ).item()
    page = view("images", subset="sample", prompt="simple", **filters)
    assert n > 0
    assert f"{n:,} image" in texts(page)


def test_error_categories_are_those_of_the_mart(view: View, asked: Callable):
    counts = asked(
        "select category, n::int as n from marts.error_categories where subset = 'sample' and prompt = 'simple' "
        "and model = 'demo-llava-small' and scheme = 'norms' and n > 0"
    ).to_dicts()
    assert len(counts) > 1
    for row in counts:
        page = view("images", subset="sample", of="demo-llava-small", outcome=f"error category {row['category']}", scheme="norms")
        assert f"{row['n']:,} image" in texts(page)


def test_an_image_has_every_reply_word_for_word(view: View, asked: Callable):
    page = view("image", dataset="sample", image="abstract_0002.jpg", by="all", asked="all")
    replies = asked(
        "select text from raw.responses where request_key in (select request_key from raw.requests where image_id = 'abstract_0002.jpg')"
    )
    assert [code.value for code in page.code if "{" in code.value]
    assert {code.value for code in page.code} >= set(replies["text"])
    assert "18 replies." in texts(page)


def test_an_image_that_is_not_there_is_told(view: View):
    assert "There is no such image." in texts(view("image", dataset="sample", image="../../etc/passwd"))


def test_pictures_whose_file_is_missing_or_outside_say_so(view: View, edition: Edition, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    edition(
        f"update raw.images set path = '{tmp_path}/secret.png' where image_id = 'abstract_0001.jpg'",
        "update raw.images set path = '../sample/abstract_0002.jpg' where image_id = 'abstract_0002.jpg'",
        "update raw.images set path = 'gone.jpg' where image_id = 'abstract_0003.jpg'",
    )
    page = view("images", subset="sample")
    assert texts(page).count("The path leads out of the dataset's folder.") == 2
    assert texts(page).count("The file is missing.") == 1


def test_open_answers_are_read_at_the_chosen_threshold(view: View, asked: Callable):
    n = asked(
        "select n_unmatched from marts.open_vocabulary "
        "where subset = 'sample' and model = 'demo-llava-base' and abs(threshold - 0.8) < 0.01"
    ).item()
    page = view("open_answers", subset="sample", prompt="no_labels", threshold="0.80")
    assert f">{n}</td>" in html(page)
    assert page.dataframe[0].value["word"].to_list()


def test_of_a_long_word_the_beginning_is_sent(view: View, edition: Edition):
    edition("update marts.unmatched_words set word = repeat('x', 1000000)")
    words = view("open_answers", subset="sample", prompt="no_labels").dataframe[0].value["word"]
    assert {len(word) for word in words} == {200}


def test_sql_answers_refuses_and_keeps_to_one_select(view: View):
    page = view("sql", sql="select 41 + 1 as answer")
    assert page.dataframe[0].value["answer"].to_list() == [42]
    refused = view("sql", sql="copy (select 1) to '/tmp/x.csv'")
    assert "refused" in refused.error[0].value
    assert "SELECT" in refused.code[0].value


@pytest.mark.parametrize("value", ["'10:00'::time", "null", "1.5::decimal(4, 2)", "true", "'a'::blob", "[1, 2]", "date '2026-01-01'"])
def test_any_column_can_be_drawn(view: View, value: str):
    page = view("sql", sql=f"select {value} as l, 2 as b", x="l", colour="l")
    assert page.selectbox(key="x").value == "l"


def test_a_named_query_comes_with_its_defaults(view: View):
    page = view("sql")
    page.selectbox(key="start").select("leaderboard").run()
    assert "prompt = 'simple'" in page.text_area(key="sql").value
    assert page.dataframe[0].value["weighted_f1"].count() == 4


def test_a_database_of_an_older_version_is_told(view: View, edition: Edition):
    edition("drop table marts.prompt_effects")
    assert "an older version published it" in texts(view("prompts"))


def test_a_database_that_is_damaged_is_told(view: View, home: Path, edition: Edition):
    edition()
    (home / "eve.duckdb").resolve().write_bytes(b"no database")
    assert "The published database cannot be read" in texts(view("leaderboard"))


def test_before_the_first_publication_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: View):
    monkeypatch.setenv("EVE_HOME", str(tmp_path / "empty"))
    assert "`eve publish`" in texts(view("leaderboard"))
    assert Settings().home == tmp_path / "empty"
