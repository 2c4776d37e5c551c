"""Every check fails on data that is bad in exactly its way, and passes at its bounds."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import yaml
from scipy.stats import entropy

from eve_pipeline.datasets.registry import HardSubset
from eve_pipeline.hard_subset.selection import Allocation, draw, hard_images
from eve_pipeline.quality.checking import CheckResult, run_suite
from eve_pipeline.quality.suites.answers import answers_suite
from eve_pipeline.quality.suites.benchmark_items import ITEM_CHECKS, item_rows, items_suite
from eve_pipeline.quality.suites.drift import DRIFT_CHECKS, Figures, drift_suite, measure
from eve_pipeline.quality.suites.images import MAX_IMBALANCE_NATS, check_usable
from eve_pipeline.quality.suites.responses import RESPONSE_CHECKS, responses_suite
from eve_pipeline.settings import PROJECT


def failed(results: list[CheckResult]) -> set[str]:
    return {result.name for result in results if not result.passed}


def first(value: object, good: object, n: int = 1) -> list[object]:
    """Twenty values, the first `n` of them bad."""
    return [value] * n + [good] * (20 - n)


# responses


def responses(**changes: list[Any]) -> pl.DataFrame:
    good: dict[str, list[Any]] = {
        "image_id": [f"{number}" for number in range(20)],
        "origin": ["asked"] * 20,
        "delivery": ["received"] * 20,
        "text": ["awe"] * 20,
        "error": ["none"] * 20,
        "finish_reason": first("length", "stop"),
        "served_model": ["stub"] * 20,
        "latency_ms": [0, 600_000] * 10,
        "prompt_tokens": [1, 131_072] * 10,
        "completion_tokens": [0, 65_536] * 10,
        "cost_usd": [0.0, 1.0] * 10,
    }
    return pl.DataFrame(good | changes)


RESPONSES: dict[str, dict[str, list[Any]]] = {
    "delivery_known": {"delivery": first("lost", "received")},
    "coverage": {"delivery": first("error", "received", 2)},
    "text_where_received": {"text": first(None, "awe")},
    "error_says_why": {"delivery": first("error", "received"), "error": first(None, "none")},
    "finish_reason_present": {"finish_reason": first(None, "stop")},
    "not_cut_off": {"finish_reason": first("length", "stop", 2)},
    "latency_bounds": {"latency_ms": first(600_001, 1)},
    "prompt_tokens_bounds": {"prompt_tokens": first(0, 1)},
    "completion_tokens_bounds": {"completion_tokens": first(-1, 0)},
    "cost_bounds": {"cost_usd": first(1.01, 0.0)},
    "served_model_known": {"served_model": first(None, "stub")},
}


def test_responses_pass_at_every_bound() -> None:
    assert failed(run_suite(responses(), responses_suite())) == set()
    assert failed(run_suite(responses(delivery=first("missing", "received"), text=first(None, "awe")), responses_suite())) == set()


def test_imported_replies_need_not_say_how_they_ended_or_who_replied() -> None:
    imported = responses(origin=["imported"] * 20, finish_reason=first(None, "stop"), served_model=first(None, "stub"))
    assert failed(run_suite(imported, responses_suite())) == set()


@pytest.mark.parametrize("check", RESPONSE_CHECKS)
def test_each_response_check_fails_on_what_breaks_it(check: str) -> None:
    results = {result.name: result for result in run_suite(responses(**RESPONSES[check]), responses_suite())}
    assert failed(list(results.values())) == {check}
    assert results[check].examples, "the rows are shown"


@pytest.mark.parametrize("changes", [{"latency_ms": first(-1, 1)}, {"cost_usd": first(-0.01, 0.0)}])
def test_nothing_is_below_zero(changes: dict[str, list[Any]]) -> None:
    assert len(failed(run_suite(responses(**changes), responses_suite()))) == 1


# answers


def answers(*labels: str | None) -> pl.DataFrame:
    columns = dict.fromkeys(("config_digest", "subset", "dataset", "parser_version"), "x")
    return pl.DataFrame({"image_id": [str(n) for n in range(len(labels))], "repeat": 0, "label": labels, "status": "ok", **columns})


@pytest.mark.parametrize(
    ("n_awe", "truth", "broken"),
    [
        (19, {"awe": 50, "fear": 50}, {"not_stuck_on_one_label"}),
        (18, {"awe": 50, "fear": 50}, set()),
        (19, {"awe": 91, "fear": 9}, set()),  # so is the truth
    ],
)
def test_answers_stuck_on_one_label(n_awe: int, truth: dict[str, int], broken: set[str]) -> None:
    rows = answers(*["awe"] * n_awe, *["fear"] * (20 - n_awe))
    assert failed(run_suite(rows, answers_suite(("awe", "fear"), 20, truth, "awe"))) == broken


@pytest.mark.parametrize(("n_joy", "broken"), [(20, {"no_class_vanished"}), (19, set())])
def test_a_class_that_is_never_answered(n_joy: int, broken: set[str]) -> None:
    suite = answers_suite(("awe", "fear", "joy"), 20, {"awe": 20, "fear": 20, "joy": n_joy}, "awe")
    results = run_suite(answers(*["awe", "fear"] * 10), suite)
    assert failed(results) == broken
    assert [result.examples for result in results if not result.passed] == [("absent: joy",)] * len(broken)


# benchmark_items

THRESHOLD = 0.8
N_HARD = {"awe": 12, "fear": 8}
IMAGES = pl.DataFrame([(f"{label}{n:02}", label) for label in N_HARD for n in range(20)], schema=["image_id", "label"], orient="row")
SCORES = IMAGES.with_columns(
    p_true=pl.when(pl.col("image_id").str.tail(2).cast(pl.Int64) < pl.col("label").replace_strict(N_HARD)).then(0.799).otherwise(THRESHOLD)
).drop("label")
ALL_IMAGES = IMAGES.with_columns(
    sha256=pl.col("image_id"),
    label_status=pl.lit("single"),
    valence=pl.lit(None, pl.Float64),
    arousal=pl.lit(None, pl.Float64),
    votes=pl.lit(None, pl.String),
)


def wanted(n: int = 10, allocation: Allocation = "proportional", seed: int = 3) -> HardSubset:
    return HardSubset(classifier="any", threshold=THRESHOLD, n=n, allocation=allocation, seed=seed)


def items(entry: HardSubset, images: pl.DataFrame = IMAGES, scores: pl.DataFrame = SCORES) -> pl.DataFrame:
    """The items that the pipeline draws."""
    selection = draw(hard_images(scores, entry.threshold).join(images, on="image_id"), entry.n, entry.allocation, entry.seed)
    whole = images.select(subset=pl.lit("p"), image_id="image_id", selection_seed=pl.lit(None, pl.Int64))
    hard = pl.DataFrame({"image_id": selection.image_ids}, schema={"image_id": pl.String}).select(
        subset=pl.lit("p-hard"), image_id="image_id", selection_seed=pl.lit(selection.seed, pl.Int64)
    )
    return item_rows(pl.concat([whole, hard]), ALL_IMAGES, scores)


def checked(rows: pl.DataFrame, entry: HardSubset) -> set[str]:
    return failed(run_suite(rows, items_suite("p", ALL_IMAGES, SCORES, entry)))


def is_nth(label: str, number: int) -> pl.Expr:
    """Whether a row is the nth of the hard subset of that label."""
    is_one = (pl.col("subset") == "p-hard") & (pl.col("label") == label)
    return is_one & (is_one.cum_sum() == number + 1)


def exchange(rows: pl.DataFrame, label: str) -> pl.DataFrame:
    """Put a hard image that was not drawn, of another or the same label, in the place of the first drawn `awe`."""
    drawn = rows.filter(subset="p-hard")["image_id"].implode()
    hard = hard_images(SCORES, THRESHOLD)["image_id"].implode()
    image = ALL_IMAGES.filter(pl.col("image_id").is_in(hard) & ~pl.col("image_id").is_in(drawn), label=label)["image_id"][0]
    one = is_nth("awe", 0)
    return rows.with_columns(
        image_id=pl.when(one).then(pl.lit(image)).otherwise("image_id"), label=pl.when(one).then(pl.lit(label)).otherwise("label")
    )


def change(column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.with_columns(pl.when(is_nth("awe", 0)).then(pl.lit(value)).otherwise(column).alias(column))


BAD_ITEMS: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame], set[str]]] = [
    ("an image twice", lambda rows: pl.concat([rows, rows.head(1)]), {"items_unique"}),
    (
        "no such image",
        lambda rows: rows.with_columns(sha256=pl.when(is_nth("awe", 0)).then(None).otherwise("sha256")),
        {"items_have_images"},
    ),
    ("an image is left out", lambda rows: rows.tail(-1), {"full_subset_is_whole"}),
    ("no score", change("p_true", None), {"hard_are_scored"}),
    ("an easy image", change("p_true", THRESHOLD), {"hard_rule_holds"}),
    ("one too few", lambda rows: rows.filter(~is_nth("awe", 0)), {"hard_n_as_wanted", "hard_stratification_holds", "hard_draw_repeats"}),
    ("none", lambda rows: rows.filter(subset="p"), {"hard_n_as_wanted", "hard_stratification_holds", "hard_draw_repeats"}),
    ("a label too many", lambda rows: exchange(rows, "fear"), {"hard_stratification_holds", "hard_draw_repeats"}),
    ("another draw", lambda rows: exchange(rows, "awe"), {"hard_draw_repeats"}),
    ("another seed", change("seed", "4"), {"hard_seed_recorded"}),
    ("no seed", change("seed", "none"), {"hard_seed_recorded"}),
    (
        "an unknown label",
        lambda rows: rows.with_columns(label=pl.when(is_nth("awe", 0)).then(pl.lit("joy")).otherwise("label")),
        {"hard_stratification_holds"},
    ),
]


def test_every_item_check_has_a_case() -> None:
    assert set().union(*(broken for _, _, broken in BAD_ITEMS)) == ITEM_CHECKS.keys()


@pytest.mark.parametrize(("spoil", "broken"), [pytest.param(spoil, broken, id=name) for name, spoil, broken in BAD_ITEMS])
def test_each_item_check_fails_on_what_breaks_it(spoil: Callable[[pl.DataFrame], pl.DataFrame], broken: set[str]) -> None:
    assert checked(spoil(items(wanted())), wanted()) == broken


@pytest.mark.parametrize("entry", [wanted(), wanted(1), wanted(20), wanted(2500), wanted(11, "balanced")])
def test_items_as_they_are_drawn_pass(entry: HardSubset) -> None:
    assert checked(items(entry), entry) == set()


def test_a_balanced_draw_is_not_a_proportional_one() -> None:
    assert checked(items(wanted(allocation="balanced")), wanted()) == {"hard_stratification_holds", "hard_draw_repeats"}


def test_a_seed_where_nothing_was_drawn_and_another_n() -> None:
    rows = items(wanted(20))
    assert checked(rows.with_columns(seed=pl.lit("3")), wanted(20)) == {"hard_seed_recorded"}
    assert set(rows["seed"]) == {"none"}
    assert checked(rows, wanted(19)) >= {"hard_n_as_wanted", "hard_seed_recorded"}


def test_one_label_and_no_hard_image() -> None:
    awe, one = IMAGES.filter(label="awe"), ALL_IMAGES.filter(label="awe")
    scores = SCORES.filter(pl.col("image_id").str.starts_with("awe"))
    suite = items_suite("p", one, scores, wanted())
    rows = items(wanted(), awe, scores)
    assert failed(run_suite(rows, suite)) == set()
    other = rows.with_columns(label=pl.when(is_nth("awe", 0)).then(pl.lit("joy")).otherwise("label"))
    assert failed(run_suite(other, suite)) == {"hard_stratification_holds"}
    easy = SCORES.with_columns(p_true=pl.lit(0.9))
    assert failed(run_suite(items(wanted(), scores=easy), items_suite("p", ALL_IMAGES, easy, wanted()))) == set()


# images


def test_files_that_are_damaged_or_labelled_wrong_are_named() -> None:
    rows = [
        ("b/1.jpg", "truncated", "cut"),
        ("awful/0.jpg", "unknown label", "'awful' is none"),
        ("awful/1.jpg", "unknown label", "'awful' is none"),
        ("c.jpg", "duplicate", "of b"),
        ("d.jpg", "placeholder", "known"),
    ]
    rejected = pl.DataFrame(rows, schema=["path", "reason", "detail"], orient="row")
    found = check_usable(IMAGES, rejected)
    assert (found.name, found.passed, found.severity, found.n_checked, found.n_unexpected) == ("files_usable", False, "warning", 45, 3)
    assert found.examples == (
        "awful/0.jpg: unknown label, 'awful' is none",
        "b/1.jpg: truncated, cut",
        "awful/1.jpg: unknown label, 'awful' is none",
    )
    assert found.message == "2 unknown label, 1 truncated"
    assert check_usable(IMAGES, rejected.tail(2)).passed


def test_public_datasets_are_within_the_bound_of_balance() -> None:
    nats = {}
    for name in ("artphoto", "abstract"):
        expected = yaml.safe_load((PROJECT / "assets_data" / "public_datasets" / f"{name}.yaml").read_text())["expected"]
        counts = list(expected["labels"].values())
        nats[name] = round(float(entropy(counts, [1] * len(counts))), 2)
    assert nats == {"artphoto": 0.04, "abstract": 0.19}
    assert max(nats.values()) < MAX_IMBALANCE_NATS


# drift


def rows_of(n: int = 100, **columns: list[Any]) -> pl.DataFrame:
    good = {"label": ["awe", "fear"], "status": ["ok"], "latency_ms": [100.0]}
    repeated = {name: (values * n)[:n] for name, values in good.items()}
    return pl.DataFrame({"image_id": [str(number) for number in range(n)], **repeated, **columns})


KEPT_COLUMNS = {"images": ["label"], "benchmark_items": ["label"], "responses": ["latency_ms"], "answers": ["label", "status"]}


def drifted(table: str, now: pl.DataFrame, before: pl.DataFrame | None = None) -> set[str]:
    columns = ["image_id", *KEPT_COLUMNS[table]]
    figures = measure((rows_of() if before is None else before).select(columns))
    return failed(run_suite(now.select(columns), drift_suite(table, figures)))


N_ROWS = {"images": "n_images_drift", "benchmark_items": "n_items_drift", "responses": "n_responses_drift", "answers": "n_answers_drift"}
SHARES = {"images": "label_shares_drift", "benchmark_items": "item_label_shares_drift", "answers": "answer_shares_drift"}


@pytest.mark.parametrize("table", DRIFT_CHECKS)
def test_nothing_drifts_from_the_same_rows_or_from_nothing(table: str) -> None:
    assert drifted(table, rows_of()) == set()
    assert (
        failed(run_suite(rows_of(), drift_suite(table, None)))
        == failed(run_suite(rows_of(), drift_suite(table, Figures(n_rows=0))))
        == set()
    )


@pytest.mark.parametrize("table", N_ROWS)
def test_a_tenth_more_or_fewer_rows_pass_and_one_more_does_not(table: str) -> None:
    assert [drifted(table, rows_of(n)) for n in (90, 110)] == [set(), set()]
    assert [drifted(table, rows_of(n)) for n in (88, 112)] == [{N_ROWS[table]}] * 2


@pytest.mark.parametrize("table", SHARES)
@pytest.mark.parametrize(
    ("labels", "is_far"),
    [
        (["awe"] * 65 + ["fear"] * 35, False),  # 0.046 nats from halves
        (["awe"] * 67 + ["fear"] * 33, True),  # 0.059 nats
        (["awe"] * 100, True),
        (["awe"] * 40 + ["fear"] * 40 + ["joy"] * 20, True),
        ([None] * 100, True),
    ],
)
def test_shares_of_labels_drift(table: str, labels: list[str | None], is_far: bool) -> None:
    now = rows_of(label=labels).cast({"label": pl.String})
    assert drifted(table, now) == ({SHARES[table]} if is_far else set())


@pytest.mark.parametrize(("latency_ms", "is_far"), [(50.0, False), (200.0, False), (49.0, True), (201.0, True), (None, True)])
def test_median_latency_drifts_both_ways(latency_ms: float | None, is_far: bool) -> None:
    now = rows_of(latency_ms=[latency_ms] * 100).cast({"latency_ms": pl.Float64})
    assert drifted("responses", now) == ({"latency_drift"} if is_far else set())


@pytest.mark.parametrize(("n_ok", "is_far"), [(100, False), (90, False), (85, False), (84, True), (0, True)])
def test_share_of_ok_answers_falls(n_ok: int, is_far: bool) -> None:
    before = rows_of(status=["ok"] * 90 + ["refusal"] * 10)
    now = rows_of(status=["ok"] * n_ok + ["refusal"] * (100 - n_ok))
    assert drifted("answers", now, before) == ({"ok_rate_drift"} if is_far else set())


def test_every_drift_check_has_a_case() -> None:
    of_rates = {"latency_drift", "ok_rate_drift"}
    assert {name for rules in DRIFT_CHECKS.values() for name in rules} == {*N_ROWS.values(), *SHARES.values()} | of_rates
