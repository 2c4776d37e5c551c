"""A warehouse of random answers, published once for all tests of the SQL models."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table

STATUSES = ("ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter", "error", "missing")
SHARES = (0.7, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)
EIGHT = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
SEVEN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
N_IMAGES = 120

Image = dict[str, object]


def image(dataset: str, number: int, label: str | None, label_status: str, **ratings: float | None) -> Image:
    return {
        "dataset": dataset,
        "image_id": f"{number:03}",
        "path": f"{number:03}.jpg",
        "sha256": f"{dataset}-{number:03}",
        "width": 64,
        "height": 64,
        "bytes": 1000,
        "label": label,
        "label_status": label_status,
        "votes": [{"label": label, "share": 1.0}] if label else None,
        **ratings,
    }


def labelled(random: np.random.Generator, number: int) -> Image:
    """Every tenth image is a tie."""
    tie = number % 10 == 0
    return image("labelled", number, None if tie else random.choice(EIGHT), "tie" if tie else "single")


def rated(random: np.random.Generator, number: int) -> Image:
    """A scale from 1 to 7 with many valences inside, on and just outside the neutral band; some images have no arousal."""
    arousal = None if number % 7 == 0 else round(random.uniform(1, 7), 1)
    valence = random.choice([1.5, 3.25, 3.5, 3.75, 4.0, 4.5, 4.75, 6.0])
    scale = {"rating_min": 1.0, "rating_max": 7.0, "neutral_band": 0.5}
    return image("rated", number, None, "none", valence=valence, arousal=arousal, **scale)


def mixed(random: np.random.Generator, number: int) -> Image:
    """Labels, one of them in no affect scheme, and ratings; some images have only one of the two, some neither."""
    label = None if number % 4 == 0 else random.choice([*SEVEN, "boredom"])
    ratings = {"valence": random.choice([2.0, 5.0, 8.0]), "arousal": random.choice([2.0, 5.0, 8.0]), "rating_min": 1.0, "rating_max": 9.0}
    return image("mixed", number, label, "single" if label else "none", **({} if number % 3 == 0 else ratings))


def answers(
    random: np.random.Generator, images: pl.DataFrame, labels: Sequence[str], cell: dict[str, str], shares: Sequence[float]
) -> pl.DataFrame:
    """Two answers an image, right in about half of the cases."""
    asked = pl.concat(images.select("dataset", "image_id", "label").with_columns(repeat=pl.lit(repeat)) for repeat in (0, 1))
    status = random.choice(STATUSES, asked.height, p=shares)
    guess = random.choice([*labels, "boredom"], asked.height)
    is_right = random.random(asked.height) < 0.5
    read = [
        (truth if right and truth else said) if state == "ok" else None
        for truth, said, right, state in zip(asked["label"], guess, is_right, status, strict=True)
    ]
    return asked.with_columns(
        label=pl.Series(read, dtype=pl.String),
        status=pl.Series(status),
        config_digest=pl.lit("-".join(cell.values())),
        parser_version=pl.lit("1"),
        is_current=pl.lit(value=True),
        **{name: pl.lit(key) for name, key in cell.items()},
    )


@pytest.fixture(scope="session")
def sql_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("eve"))


@pytest.fixture(scope="session")
def images() -> pl.DataFrame:
    random = np.random.default_rng(7)
    rows = [draw(random, number) for draw in (labelled, rated, mixed) for number in range(N_IMAGES)]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="session")
def current_answers(images: pl.DataFrame) -> pl.DataFrame:
    """Cells of several sizes; in one all items failed, in another all were answered."""
    random = np.random.default_rng(11)
    shares = {"broken": (0, 0, 0, 0, 0, 0.5, 0.5), "perfect": (1, 0, 0, 0, 0, 0, 0)}
    frames = []
    for (dataset,), of_dataset in images.group_by("dataset", maintain_order=True):
        hard = of_dataset.filter(pl.Series(random.random(of_dataset.height) < 0.3))
        for subset, items in ((dataset, of_dataset), (f"{dataset}-hard", hard)):
            for model in ("one", "two", "broken", "perfect"):
                for prompt in ("simple", "positive_persona"):
                    cell = {"model": model, "subset": subset, "prompt": prompt}
                    labels = SEVEN if dataset == "mixed" else EIGHT
                    frames.append(answers(random, items, labels, cell, shares.get(model, SHARES)))
    return pl.concat(frames)


@pytest.fixture(scope="session")
def requests(current_answers: pl.DataFrame) -> pl.DataFrame:
    """The requests of the current answers; those about one image of a dataset are shared by its subsets."""
    return current_answers.select(
        "config_digest", "model", "subset", "prompt", "dataset", "image_id", "repeat",
        request_key=pl.format("{}/{}/{}/{}/{}", "model", "prompt", "dataset", "image_id", "repeat"),
        image_sha256=pl.format("{}-{}", "dataset", "image_id"),
        origin=pl.lit("asked"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def responses(requests: pl.DataFrame) -> pl.DataFrame:
    """Some requests have no response, some an error and then another one; model `two` has no prices, `broken` was imported."""
    random = np.random.default_rng(5)
    keys = [key for key in requests["request_key"].unique().sort() if random.random() < 0.9]
    again = [key for key in keys if random.random() < 0.2]
    n = len(keys) + len(again)
    drawn = pl.DataFrame(
        {
            "request_key": again + keys,
            "delivery": ["error"] * len(again) + ["received"] * len(keys),
            "prompt_tokens": random.integers(80, 900, n),
            "completion_tokens": random.integers(5, 60, n),
            "cost_usd": random.uniform(0, 0.01, n),
            "latency_ms": random.gamma(3, 200, n),
            "attempts": random.integers(1, 5, n),
            "created_at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(s)) for s in random.integers(0, 10**6, n)],
        }
    )
    measured = pl.exclude("request_key", "delivery", "attempts", "created_at")
    unpriced, imported = (pl.col("request_key").str.starts_with(f"{model}/") for model in ("two", "broken"))
    known = drawn.with_columns(pl.when(~imported).then(measured)).with_columns(pl.when(~unpriced).then("cost_usd").alias("cost_usd"))
    return known.with_columns(pl.when(~imported).then("attempts").otherwise(1).alias("attempts"))


def config(cell: dict[str, str], digest: str, *, is_current: bool) -> pl.DataFrame:
    """A row of table `configs`."""
    names = ("model_id", "model_revision", "prompt_revision", "answer_key", "rendered_prompt")
    row = (
        cell
        | dict.fromkeys(names, "")
        | {"parameters": "{}"}
        | {"config_digest": digest, "key_version": 1, "is_open": False, "label_order": [], "labels": []}
    )
    row["persona"] = "positive" if cell["prompt"] == "positive_persona" else None
    return pl.DataFrame([row | {"is_current": is_current}])


@pytest.fixture(scope="session")
def annotation_tasks(images: pl.DataFrame, current_answers: pl.DataFrame) -> pl.DataFrame:
    """Two studies: all errors about labelled images under the prompt simple with control items, and five from the hard subset."""
    truths = images.filter(dataset="labelled").select("dataset", "image_id", truth="label").drop_nulls()
    answered = current_answers.filter(prompt="simple", status="ok").join(truths, on=["dataset", "image_id"])
    wrong = answered.filter(pl.col("label") != pl.col("truth")).rename({"label": "answer"})
    by = ["dataset", "image_id", "truth", "answer", "prompt"]
    models = wrong.group_by(by).agg(models=pl.col("model").unique().sort(), config_digests=pl.col("config_digest").unique().sort()).sort(by)
    errors = models.with_columns(error_category=pl.Series([("I", "II", "III")[n % 3] for n in range(models.height)]), is_control=False)
    controls = truths.head(4).with_columns(answer=pl.lit("boredom"), prompt=pl.lit("simple"), models=[], config_digests=[], is_control=True)
    common = {"stratum": pl.lit(""), "order_key": pl.lit("k"), "created_at": pl.lit(datetime(2026, 2, 1, tzinfo=UTC))}
    every = pl.concat([errors, controls], how="diagonal_relaxed").with_row_index("number").with_columns(**common)
    named = every.with_columns(task=pl.format("t{}", "number")).drop("number")
    hard = named.head(5).with_columns(study=pl.lit("hard"), subsets=["labelled-hard"])
    return pl.concat(
        [
            named.with_columns(study=pl.lit("study"), subsets=pl.lit(None, pl.List(pl.String))),
            hard.select(*named.columns, "study", "subsets"),
        ],
        how="diagonal_relaxed",
    )


@pytest.fixture(scope="session")
def annotations(annotation_tasks: pl.DataFrame) -> pl.DataFrame:
    """Three annotators, one of whom did half; in the second study one annotator who says one thing alone."""
    random = np.random.default_rng(17)
    rows = []
    for task in annotation_tasks.to_dicts():
        agreed = random.choice(["first", "second", "both", "neither", "unsure"], p=[0.35, 0.35, 0.15, 0.1, 0.05])
        for name, share in (("ada", 1.0), ("bo", 1.0), ("cy", 0.5)) if task["study"] == "study" else (("ada", 1.0),):
            shown = [task["truth"], task["answer"]][:: random.choice([1, -1])]
            own = random.choice(["first", "second", "both", "neither", "unsure"], p=[0.3, 0.3, 0.2, 0.1, 0.1])
            choice = "both" if task["study"] == "hard" else own if random.random() < 0.4 else agreed
            if random.random() < share:
                timed = {"duration_s": random.uniform(1, 9) if name != "cy" else None, "source": "app" if name != "cy" else "csv"}
                at = datetime(2026, 2, 2, tzinfo=UTC) + timedelta(seconds=len(rows))
                rows.append(
                    {
                        "study": task["study"],
                        "task": task["task"],
                        "annotator": name,
                        "choice": choice,
                        "shown_order": shown,
                        "created_at": at,
                        **timed,
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="session")
def database(
    sql_settings: Settings,
    images: pl.DataFrame,
    current_answers: pl.DataFrame,
    requests: pl.DataFrame,
    responses: pl.DataFrame,
    annotation_tasks: pl.DataFrame,
    annotations: pl.DataFrame,
) -> Path:
    """The published database; its answers and requests hold outdated rows beside the current ones."""
    warehouse = Warehouse.of(sql_settings)
    for (dataset,), rows in images.group_by("dataset"):
        write_table(rows, "images", warehouse.file("images", dataset))
    outdated = current_answers.with_columns(
        config_digest=pl.lit("outdated"), is_current=pl.lit(value=False), status=pl.lit("ok"), label=pl.lit("awe")
    ).unique(["model", "subset", "prompt", "dataset", "image_id", "repeat"])
    for (model, subset, prompt), rows in current_answers.group_by("model", "subset", "prompt"):
        beside = outdated.filter(model=model, subset=subset, prompt=prompt).with_columns(
            config_digest=pl.lit(f"{model}-{subset}-{prompt}-0")
        )
        write_table(pl.concat([rows, beside]), "answers", warehouse.file("answers", model, f"{subset}.{prompt}"))
        asked = requests.filter(model=model, subset=subset, prompt=prompt)
        before = asked.with_columns(config_digest=pl.lit("before"))
        write_table(pl.concat([asked, before]), "requests", warehouse.file("requests", model, f"{subset}.{prompt}"))
        cell = {"model": model, "subset": subset, "prompt": prompt}
        configs = [config(cell, asked["config_digest"][0], is_current=True), config(cell, "before", is_current=False)]
        write_table(pl.concat(configs), "configs", warehouse.file("configs", model, f"{subset}.{prompt}"))
    write_table(responses, "responses", warehouse.file("responses", "one", "labelled.simple", "part-1"))
    for (study,), rows in annotation_tasks.group_by("study"):
        write_table(rows, "annotation_tasks", warehouse.file("annotation_tasks", study))
    for (study, annotator), rows in annotations.group_by("study", "annotator"):
        write_table(rows, "annotations", warehouse.file("annotations", study, annotator))
    return publish(warehouse, sql_settings)


@pytest.fixture(scope="session")
def mart(database: Path) -> Callable[[str], pl.DataFrame]:
    """A function that returns all rows of a mart."""

    def rows(name: str) -> pl.DataFrame:
        with duckdb.connect(database, read_only=True) as connection:
            return connection.table(f"marts.{name}").pl()

    return rows
