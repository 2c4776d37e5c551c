"""Repeats, votes, calibration and the paper's figures, against scikit-learn, scipy and numbers worked out by hand."""

from collections.abc import Callable

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance
from sklearn.metrics import brier_score_loss, f1_score

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table
from tests.sql_models.conftest import config, image

LABELS = ("anger", "awe", "fear", "surprise")
SIDE = {"anger": 0, "fear": 0, "surprise": 1, "awe": 2}
N, REPEATS = 40, 3


def votes(random: np.random.Generator) -> list[dict[str, object]]:
    shares = random.dirichlet(np.ones(len(LABELS)))
    return [{"label": label, "share": float(share)} for label, share in zip(LABELS, shares, strict=True)]


@pytest.fixture(scope="module")
def images() -> pl.DataFrame:
    """Every tenth image has votes and no label, every seventh a label and no votes."""
    random = np.random.default_rng(2)
    rows = [image("d", number, str(random.choice(LABELS)), "single") for number in range(N)]
    for number, row in enumerate(rows):
        row["votes"] = None if number % 7 == 0 else votes(random)
        if number % 10 == 0:
            row |= {"label": None, "label_status": "tie"}
    return pl.DataFrame(rows, infer_schema_length=None)


def cell_answers(random: np.random.Generator, cell: dict[str, str], repeats: int, **fields: object) -> pl.DataFrame:
    rows = []
    for number in range(N):
        for repeat in range(repeats):
            status = str(random.choice(["ok", "refusal", "error"], p=[0.8, 0.1, 0.1]))
            row = cell | {"dataset": "d", "image_id": f"{number:03}", "repeat": repeat, "status": status, "config_digest": cell["prompt"]}
            row |= {"label": str(random.choice(LABELS, p=[0.1, 0.5, 0.2, 0.2])) if status == "ok" else None, "parser_version": "1"}
            rows.append(row | {"is_current": True} | {name: make(random) for name, make in fields.items()})  # type: ignore[operator]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def answers() -> dict[str, pl.DataFrame]:
    """A cell of three repeats, one of a single answer, and one that knows its probabilities."""
    random = np.random.default_rng(3)
    cells = {name: {"model": "m", "subset": "abstract", "prompt": name} for name in ("repeated", "simple", "sure")}
    probabilities = {
        "stated_confidence": lambda r: float(r.choice([0.0, 0.35, 0.999, 1.0])),
        "token_confidence": lambda r: float(r.random()),
    }
    return {
        "repeated": cell_answers(random, cells["repeated"], REPEATS),
        "simple": cell_answers(random, cells["simple"], 1),
        "sure": cell_answers(random, cells["sure"], 1, **probabilities, label_probabilities=votes),
    }


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory, answers: dict[str, pl.DataFrame], images: pl.DataFrame) -> Callable[[str], pl.DataFrame]:
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse = Warehouse.of(settings)
    write_table(images, "images", warehouse.file("images", "d"))
    for prompt, rows in answers.items():
        write_table(rows, "answers", warehouse.file("answers", "m", f"abstract.{prompt}"))
        row = config({"model": "m", "subset": "abstract", "prompt": prompt}, prompt, is_current=True)
        write_table(row.with_columns(model_id=pl.lit("gpt-4o")), "configs", warehouse.file("configs", "m", f"abstract.{prompt}"))
    database = publish(warehouse, settings)

    def read(name: str) -> pl.DataFrame:
        with duckdb.connect(database, read_only=True) as connection:
            return connection.sql(f"select * from marts.{name}").pl()

    return read


def test_repeats_agree_as_counted_by_hand(mart, answers, images):
    (row,) = mart("repeat_stability").rows(named=True)
    received = answers["repeated"].filter(pl.col("status") != "error").with_columns(outcome=pl.coalesce("label", "status"))
    agreements, flips = [], []
    for _, of_image in received.group_by("image_id"):
        said = of_image["outcome"].to_list()
        pairs = [one == other for place, one in enumerate(said) for other in said[:place]]
        if pairs:
            agreements.append(np.mean(pairs))
            flips.append(of_image["label"].drop_nulls().n_unique() > 1)
    assert (row["prompt"], row["n_repeats"], row["n_images"]) == ("repeated", REPEATS, len(agreements))
    assert row["agreement"] == pytest.approx(np.mean(agreements))
    assert row["flip_rate"] == pytest.approx(np.mean(flips))
    labelled = received.join(images.select("image_id", truth="label").drop_nulls(), on="image_id")
    scores = [
        f1_score(of["truth"], of["label"].fill_null("-"), labels=of["truth"].unique(), average="weighted", zero_division=0)
        for of in labelled.partition_by("repeat")
    ]
    assert row["weighted_f1_mean"] == pytest.approx(np.mean(scores))
    assert row["weighted_f1_sd"] == pytest.approx(np.std(scores, ddof=1))
    assert row["is_complete"] is False


def test_votes_by_numpy(mart, answers, images):
    shares = {name: {v["label"]: v["share"] for v in of} for name, of in images.select("image_id", "votes").drop_nulls().iter_rows()}
    for prompt, rows in answers.items():
        (row,) = mart("vote_agreement").filter(prompt=prompt).rows(named=True)
        scored = rows.filter(pl.col("status") != "error", pl.col("image_id").is_in(list(shares)))
        pairs = [(shares[name], label) for name, label in scored.select("image_id", "label").iter_rows()]
        assert row["soft_accuracy"] == pytest.approx(np.mean([of.get(label, 0) for of, label in pairs]))
        assert row["n_images"] == scored["image_id"].n_unique()
        weighted = [(truth, label or "-", share) for of, label in pairs for truth, share in of.items()]
        truth, said, weights = zip(*weighted, strict=True)
        expected = f1_score(truth, said, labels=LABELS, average="weighted", zero_division=0, sample_weight=weights)
        assert row["expected_f1"] == pytest.approx(expected)


@pytest.mark.parametrize("prompt", ["repeated", "sure"])
def test_distances_between_distributions_by_scipy(mart, answers, images, prompt):
    shares = {name: {v["label"]: v["share"] for v in of} for name, of in images.select("image_id", "votes").drop_nulls().iter_rows()}
    ok = answers[prompt].filter(pl.col("status") == "ok", pl.col("image_id").is_in(list(shares)))
    divergences, distances = [], []
    for (name,), of_image in ok.group_by("image_id"):
        if prompt == "repeated" and of_image.height < 2:
            continue
        if prompt == "repeated":
            p = np.array([(of_image["label"] == label).mean() for label in LABELS])
        else:
            said = {one["label"]: one["share"] for one in of_image["label_probabilities"][0]}
            p = np.array([said[label] for label in LABELS])
        q = np.array([shares[name][label] for label in LABELS])
        divergences.append(jensenshannon(p, q, base=2) ** 2)
        sides = [SIDE[label] for label in LABELS]
        distances.append(wasserstein_distance(sides, sides, p, q))
    (row,) = mart("vote_agreement").filter(prompt=prompt).rows(named=True)
    assert row["n_with_distribution"] == len(divergences)
    assert row["jensen_shannon"] == pytest.approx(np.mean(divergences))
    assert row["earth_movers_distance"] == pytest.approx(np.mean(distances))


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("vote_agreement", ("soft_accuracy", "expected_f1", "jensen_shannon", "earth_movers_distance")),
        ("repeat_stability", ("agreement", "flip_rate")),
        ("calibration", ("accuracy", "expected_calibration_error", "brier_score")),
    ],
)
def test_every_score_has_an_interval(mart, name, metrics):
    for metric in metrics:
        known = mart(name).drop_nulls(metric)
        known = known.filter(pl.col("n") > 1) if name == "calibration" else known
        assert known.height
        assert known.select(f"{metric}_low", f"{metric}_high").null_count().row(0) == (0, 0)
        if metric != "expected_calibration_error":  # of few answers, chance alone makes it larger in most draws
            assert ((known[f"{metric}_low"] <= known[metric] + 1e-12) & (known[metric] <= known[f"{metric}_high"] + 1e-12)).all()


def test_one_answer_is_no_distribution(mart):
    (row,) = mart("vote_agreement").filter(prompt="simple").rows(named=True)
    assert (row["n_with_distribution"], row["jensen_shannon"], row["earth_movers_distance"]) == (0, None, None)


@pytest.mark.parametrize(("source", "column"), [("logprobs", "token_confidence"), ("stated", "stated_confidence")])
def test_calibration_by_numpy_and_scikit_learn(mart, answers, images, source, column):
    ok = answers["sure"].filter(status="ok").join(images.select("image_id", truth="label").drop_nulls(), on="image_id")
    confidence, right = ok[column].to_numpy(), (ok["label"] == ok["truth"]).to_numpy()
    rows = mart("calibration").filter(source=source)
    whole, bins = rows.filter(pl.col("bin").is_null()).row(0, named=True), rows.drop_nulls("bin").sort("bin")
    assert whole["n"] == len(right)
    assert whole["brier_score"] == pytest.approx(brier_score_loss(right, confidence))
    assert (whole["mean_confidence"], whole["accuracy"]) == pytest.approx((confidence.mean(), right.mean()))
    of = np.minimum((confidence * 10).astype(int), 9)
    assert bins["bin"].to_list() == sorted(set(of))
    assert bins["accuracy"].to_list() == pytest.approx([right[of == one].mean() for one in bins["bin"]])
    gaps = [abs(confidence[of == one].mean() - right[of == one].mean()) * (of == one).mean() for one in bins["bin"]]
    assert whole["expected_calibration_error"] == pytest.approx(sum(gaps))


def test_the_papers_figures_stand_beside_ours(mart):
    rows = mart("published_comparison")
    assert rows.height == 6
    (abstract,) = rows.filter(published_model="gpt-4o", published_dataset="abstract").rows(named=True)
    ours = mart("weighted_f1").filter(prompt="simple", scoring="strict")
    assert (abstract["published_value"], abstract["our_value"]) == (0.196, pytest.approx(ours["weighted_f1"].item()))
    assert (abstract["model"], abstract["is_comparable"], abstract["reason"]) == (
        "m",
        False,
        "some of our cells lack answers, or were asked about a part of the images",
    )
    others = rows.filter((pl.col("published_model") != "gpt-4o") | (pl.col("published_dataset") != "abstract"))
    assert others["our_value"].null_count() == 5
    assert not others["is_comparable"].any()
