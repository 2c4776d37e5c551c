"""Studies are drawn in proportion, reproducibly, and tell annotators nothing."""

from collections import Counter

import polars as pl
import pytest

from eve_pipeline.annotation.answers import record
from eve_pipeline.annotation.sampling import Wanted, draw_tasks
from eve_pipeline.annotation.studies import make_study, read_tasks, sheet
from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.paths import Warehouse
from tests.annotation.conftest import AFFECT, LABELS, N, answer, answers

SECRET = ("order_key", "created_at")


def distinct_errors() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in answers().to_dicts():
        if row["label"] != LABELS[int(row["image_id"]) % 4]:
            found.setdefault((row["image_id"], row["label"]), set()).add(row["model"])
    return found


def test_an_error_of_several_models_is_one_question_that_names_them_all(warehouse: Warehouse) -> None:
    drawn = draw_tasks("s", Wanted(n=1000, controls=0), warehouse.database)
    asked = {(row["image_id"], row["answer"]): set(row["models"]) for row in drawn.tasks.to_dicts()}
    assert asked == distinct_errors()
    assert {"one", "two"} in asked.values()
    assert drawn.n_errors == drawn.tasks.height == len(asked)
    assert drawn.tasks["seed"].is_null().all()  # nothing had to be drawn


def test_categories_are_those_of_the_affect_scheme(warehouse: Warehouse) -> None:
    for row in draw_tasks("s", Wanted(n=1000, controls=0), warehouse.database).tasks.to_dicts():
        (sentiment, arousal), (other_sentiment, other_arousal) = AFFECT[row["truth"]], AFFECT[row["answer"]]
        category = "I" if sentiment != other_sentiment else "II" if arousal != other_arousal else "III"
        assert row["error_category"] == category


def test_strata_are_drawn_in_proportion(warehouse: Warehouse) -> None:
    def strata(n: int) -> Counter[str]:
        return Counter(draw_tasks("s", Wanted(n=n, controls=0), warehouse.database).tasks["stratum"])

    everything, some = strata(1000), strata(13)
    assert some.total() == 13
    for stratum, n in everything.items():
        assert abs(some[stratum] - 13 * n / everything.total()) < 1, stratum
    represented = {stratum.split()[2] for stratum in everything}
    assert represented == {"one", "two"}


def test_equal_seeds_draw_equal_questions_and_others_do_not(warehouse: Warehouse) -> None:
    def tasks(seed: int) -> pl.DataFrame:
        return draw_tasks("s", Wanted(n=8, seed=seed), warehouse.database).tasks.drop(SECRET)

    assert tasks(1).equals(tasks(1))
    assert set(tasks(1)["task"]) != set(tasks(2)["task"])
    assert set(tasks(1)["seed"]) == {1}


@pytest.mark.parametrize("models", [(), ("two",)])
def test_control_items_are_agreed_and_contradicted_by_the_other_sentiment(warehouse: Warehouse, models: tuple[str, ...]) -> None:
    """Agreed by all models, also where errors of one alone are drawn."""
    controls = draw_tasks("s", Wanted(n=8, controls=1, models=models), warehouse.database).tasks.filter("is_control")
    assert controls.height == 8
    agreed = answers().with_columns(pl.col("image_id").cast(pl.Int64)).to_dicts()
    wrong = {row["image_id"] for row in agreed if row["label"] != LABELS[row["image_id"] % 4]}
    for row in controls.to_dicts():
        assert int(row["image_id"]) not in wrong
        assert row["truth"] == LABELS[int(row["image_id"]) % 4]
        assert AFFECT[row["truth"]][0] != AFFECT[row["answer"]][0]
        assert (row["models"], row["error_category"]) == ([], None)


def test_too_few_are_all_taken(warehouse: Warehouse) -> None:
    drawn = draw_tasks("s", Wanted(n=1000, controls=1), warehouse.database)
    assert drawn.tasks.filter("is_control").height == drawn.n_agreed == N // 2
    assert drawn.tasks.filter(~pl.col("is_control")).height == drawn.n_errors


def test_selections_limit_the_draw(warehouse: Warehouse) -> None:
    drawn = draw_tasks("s", Wanted(n=1000, controls=0, models=("two",), subsets=("hand",)), warehouse.database).tasks
    assert {tuple(models) for models in drawn["models"]} == {("two",)}
    assert drawn.height == N // 4
    assert drawn["subsets"].to_list() == [["hand"]] * drawn.height
    with pytest.raises(EveError, match="is wrong there"):
        draw_tasks("s", Wanted(prompt="other"), warehouse.database)
    with pytest.raises(EveError, match="is wrong there"):
        draw_tasks("s", Wanted(datasets=("elsewhere",)), warehouse.database)


def test_nothing_published_says_what_to_do(tmp_path) -> None:
    with pytest.raises(EveError, match="eve publish"):
        draw_tasks("s", Wanted(), Warehouse(tmp_path).database)


def test_the_name_of_a_question_is_the_same_with_its_labels_turned(warehouse: Warehouse) -> None:
    """Else whoever knows how names are made could tell the labels apart."""
    from eve_pipeline.annotation.sampling import _named

    row = {"dataset": "d", "image_id": "i", "prompt": "p"}
    names = _named(pl.DataFrame([row | {"truth": "a", "answer": "b"}, row | {"truth": "b", "answer": "a"}]))["task"]
    assert names[0] == names[1]


def test_a_study_with_answers_is_not_drawn_again_and_one_without_is(warehouse: Warehouse, study: str) -> None:
    before = read_tasks(study, warehouse)
    make_study(study, Wanted(n=3, controls=0), warehouse)
    assert read_tasks(study, warehouse).height == 3
    record(study, "ada", [answer(warehouse, study, read_tasks(study, warehouse)["task"][0])], "app", warehouse)
    with pytest.raises(EveError, match="has answers of ada"):
        make_study(study, Wanted(n=3), warehouse)
    assert before.height == 15


@pytest.mark.parametrize("name", ["", "../up", "a/b", "Ada", "x" * 65, "a b", "a\x00"])
def test_names_that_are_no_keys_are_refused(warehouse: Warehouse, study: str, name: str) -> None:
    with pytest.raises(EveError, match="is no name of"):
        make_study(name, Wanted(), warehouse)
    with pytest.raises(EveError, match="is no name of"):
        sheet(study, name, warehouse)


def test_the_sheet_tells_no_side(warehouse: Warehouse, study: str) -> None:
    seen = {name: sheet(study, name, warehouse) for name in ("ada", "bo")}
    assert seen["ada"].columns == ["task", "dataset", "image_id", "first", "second", "choice", "confidence", "comment"]
    assert seen["ada"]["task"].equals(seen["bo"]["task"])
    truths = dict(read_tasks(study, warehouse).select("task", "truth").iter_rows())
    is_first = {name: [truths[task] == first for task, first in of.select("task", "first").iter_rows()] for name, of in seen.items()}
    assert is_first["ada"] != is_first["bo"]  # equal by chance in one of 2^15 runs


def test_the_truth_is_first_about_half_of_the_time(warehouse: Warehouse) -> None:
    make_study("all", Wanted(n=1000, controls=1), warehouse)
    truths = dict(read_tasks("all", warehouse).select("task", "truth").iter_rows())
    firsts = [truths[t] == f for n in range(40) for t, f in sheet("all", f"a{n}", warehouse).select("task", "first").iter_rows()]
    assert 0.45 < sum(firsts) / len(firsts) < 0.55  # 1,800 and more fair tosses: 4 standard errors
