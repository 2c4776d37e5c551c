"""A classifier of `second` starts from the weights that were kept when `first` was scored."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.networks import build_network
from eve_pipeline.hard_subset.pictures import decode_pictures
from eve_pipeline.hard_subset.scoring import out_of_fold_scores
from eve_pipeline.hard_subset.training import Examples, predict
from eve_pipeline.hard_subset.weights import identity, save_weights, scorable, starting_weights
from eve_pipeline.settings import Settings

FIRST = {
    "key": "first",
    "model": "vit_tiny_patch16_224",
    "model_args": {"img_size": 16, "patch_size": 8, "depth": 1, "embed_dim": 16, "num_heads": 1},
    "image_size": 16,
    "hidden_layers": [8],
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "epochs": 6,
    "batch_size": 8,
    "folds": 3,
    "keep_weights": True,
}
SECOND = FIRST | {"key": "second", "warm_start": "first", "trainable": "last_layer", "epochs": 3}
COLOURS = {"anger": (200, 30, 30), "fear": (30, 200, 30), "sadness": (30, 30, 200)}
WEIGHTS = "classifier_weights/{}.safetensors"


def classifier(fields: dict[str, object], **changes: object) -> Classifier:
    return Classifier.model_validate(fields | changes)


def dataset(name: str, root: Path, labels: list[str]) -> pl.DataFrame:
    """Eight noisy pictures a label; number n of one dataset has the same hash as number n of another."""
    random, rows = np.random.default_rng(len(name)), []
    for n in range(8 * len(labels)):
        label, file = labels[n % len(labels)], root / f"{name}-{n:02}.png"
        Image.fromarray(random.normal(COLOURS[label], 25, (20, 20, 3)).clip(0, 255).astype(np.uint8)).save(file)
        rows.append(
            {"dataset": name, "image_id": f"{n:02}", "path": file.name, "sha256": f"{name if n > 2 else ''}{n}".encode().hex().zfill(64)}
        )
    return pl.DataFrame(rows).with_columns(label=pl.Series([labels[n % len(labels)] for n in range(len(rows))]))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """EVE_HOME in which `first`, of two labels, was scored and its weights kept."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), device="cpu")
    out_of_fold_scores(dataset("first", settings.home, ["anger", "sadness"]), settings.home, classifier(FIRST), settings)
    return settings


def test_kept_weights_learnt_from_all_images(settings: Settings) -> None:
    start = starting_weights(classifier(SECOND), settings)
    assert start is not None
    assert (start.learnt.dataset, start.learnt.classifier) == ("first", classifier(FIRST).identity)
    assert start.learnt.labels == ("anger", "sadness")
    images = dataset("first", settings.home, ["anger", "sadness"])
    assert start.learnt.pictures == set(images["sha256"])
    network = build_network(classifier(FIRST), start.learnt.labels, start)
    pictures = torch.from_numpy(decode_pictures([settings.home / path for path in images["path"]], 16))
    p = predict(network, Examples(pictures, torch.zeros(16, dtype=torch.long)), torch.arange(16), 8)
    assert p.argmax(1).tolist() == [0, 1] * 8


def test_the_only_training_of_a_single_split_is_kept(settings: Settings, tmp_path: Path) -> None:
    single, elsewhere = classifier(FIRST, split="single_80_20", folds=5), Settings(home=tmp_path, device="cpu")
    images = dataset("first", settings.home, ["anger", "sadness"])
    scores, _ = out_of_fold_scores(images, settings.home, single, elsewhere)
    start = starting_weights(classifier(SECOND), elsewhere)
    assert start is not None
    assert start.learnt.pictures == set(images.join(scores, on="image_id", how="anti")["sha256"])


def test_equal_weights_have_one_digest(settings: Settings, tmp_path: Path) -> None:
    start = starting_weights(classifier(SECOND), settings)
    assert start is not None
    for n in range(8):
        elsewhere = Settings(home=tmp_path / str(n))
        save_weights(start.state(), start.learnt, elsewhere)
        again = starting_weights(classifier(SECOND), elsewhere)
        assert again is not None
        assert (again.learnt, again.digest) == (start.learnt, start.digest)


def test_weights_know_the_pictures_of_those_they_started_from(settings: Settings) -> None:
    first, second = (dataset(name, settings.home, ["anger", "sadness"]) for name in ("first", "second"))
    out_of_fold_scores(second, settings.home, classifier(SECOND), settings)
    start = starting_weights(classifier(SECOND, key="third", warm_start="second"), settings)
    assert start is not None
    assert start.learnt.pictures == {*first["sha256"], *second["sha256"]}
    assert scorable(first, start).is_empty()


def test_weights_are_kept_where_a_finished_training_did_not_keep_them(settings: Settings, tmp_path: Path) -> None:
    single, elsewhere = classifier(FIRST, split="single_80_20", folds=5, keep_weights=False), Settings(home=tmp_path, device="cpu")
    images = dataset("first", settings.home, ["anger", "sadness"])
    out_of_fold_scores(images, settings.home, single, elsewhere)
    assert not (tmp_path / WEIGHTS.format("first")).exists()
    out_of_fold_scores(images, settings.home, single.model_copy(update={"keep_weights": True}), elsewhere)
    assert (tmp_path / WEIGHTS.format("first")).exists()


def test_pictures_of_the_first_have_no_score(settings: Settings) -> None:
    second = dataset("second", settings.home, ["anger", "sadness"])
    scores, _ = out_of_fold_scores(second, settings.home, classifier(SECOND, keep_weights=False), settings)
    assert scores["image_id"].to_list() == [f"{n:02}" for n in range(3, 16)]
    start = starting_weights(classifier(SECOND), settings)
    assert scorable(second, start)["image_id"].to_list() == scores["image_id"].to_list()
    assert scores["classifier"].unique().to_list() == [identity(classifier(SECOND, keep_weights=False), start)]
    assert scores["classifier"][0].startswith("second@")
    assert "+first@" in scores["classifier"][0]


@pytest.mark.parametrize("labels", [["anger", "sadness"], ["anger", "fear", "sadness"]])
def test_the_last_layer_alone_is_trained(settings: Settings, labels: list[str]) -> None:
    second = dataset("second", settings.home, labels)
    out_of_fold_scores(second, settings.home, classifier(SECOND), settings)
    first, trained = (load_file(settings.home / WEIGHTS.format(name)) for name in ("first", "second"))
    last = {"6.weight", "6.bias"}
    assert last < set(first) == set(trained)
    assert trained["6.bias"].shape == (len(labels),)
    for name in set(first) - last - {"learnt_from_sha256"}:
        assert torch.equal(first[name], trained[name])
    assert not torch.equal(first["6.bias"], trained["6.bias"])


def test_features_computed_once_score_as_the_whole_network_does(settings: Settings) -> None:
    """What is kept after the last training, asked as a whole about pictures, against the frozen part and the rest in turn."""
    second = dataset("second", settings.home, ["anger", "sadness"])
    single = classifier(SECOND, split="single_80_20", folds=5)
    scores, _ = out_of_fold_scores(second, settings.home, single, settings)
    start = starting_weights(classifier(SECOND, warm_start="second"), settings)
    assert start is not None
    network = build_network(single, start.learnt.labels, start)
    files = [settings.home / path for path in second.join(scores, on="image_id").sort("image_id")["path"]]
    examples = Examples(torch.from_numpy(decode_pictures(files, 16)), torch.zeros(len(files), dtype=torch.long))
    p = predict(network, examples, torch.arange(len(files)), 8)
    assert p.max(1).values.tolist() == pytest.approx(scores["p_predicted"].to_list(), abs=1e-6)


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(EveError, match=r"'second' starts from weights trained on dataset 'first'.*not there\n.*eve datasets prepare first"):
        starting_weights(classifier(SECOND), Settings(home=tmp_path))
    (tmp_path / "classifier_weights").mkdir()
    (tmp_path / WEIGHTS.format("first")).write_bytes(b"half a file")
    with pytest.raises(EveError, match=r"first\.safetensors is not readable"):
        starting_weights(classifier(SECOND), Settings(home=tmp_path))


def test_weights_of_another_network(settings: Settings) -> None:
    start = starting_weights(classifier(SECOND), settings)
    with pytest.raises(EveError, match=r"(?s)cannot start from the weights of dataset 'first', which first@.*size mismatch.*same model"):
        build_network(classifier(SECOND, hidden_layers=[4]), ("anger", "sadness"), start)
