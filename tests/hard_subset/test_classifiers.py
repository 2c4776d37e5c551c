import pytest
import torch

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier, classifier, classifiers
from eve_pipeline.hard_subset.networks import build_network
from eve_pipeline.settings import Settings

SETTINGS = Settings()
SMALL = classifier("vit-sample", SETTINGS)


def changed(**fields: object) -> Classifier:
    return Classifier.model_validate(SMALL.model_dump(exclude_unset=True) | fields)


# Bhattacharyya & Wang 2025, as in their code: head 768-384-16-8 after dropout, SGD with cosine.
PAPER = {
    "model": "vit_base_patch16_224.orig_in21k_ft_in1k",
    "image_size": 224,
    "hidden_layers": (384, 16),
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 1e-5,
    "t_max": 200,
    "epochs": 30,
    "batch_size": 128,
}


@pytest.mark.parametrize(
    ("key", "particular"),
    [
        ("vit-b16-paper", {"pretrained": True, "dropout": 0.2, "split": "single_80_20"}),
        ("vit-b16-emoset", {"pretrained": True, "dropout": 0.2, "keep_weights": True}),
        ("vit-b16-fi", {"warm_start": "emoset", "trainable": "last_layer"}),
    ],
)
def test_the_papers_configs(key: str, particular: dict[str, object]) -> None:
    assert classifier(key, SETTINGS).model_dump(exclude={"key", "description"}, exclude_defaults=True) == PAPER | particular


def test_the_papers_head() -> None:
    with torch.device("meta"):
        layers = build_network(classifier("vit-b16-paper", SETTINGS).model_copy(update={"pretrained": False}), tuple("abcdefgh"))
    heads = [(layer.in_features, layer.out_features) for layer in layers if hasattr(layer, "in_features")]
    assert heads == [(768, 384), (384, 16), (16, 8)]


def test_identity_is_of_what_changes_scores() -> None:
    assert SMALL.identity.startswith("vit-sample@")
    assert changed(description="Other.").identity == SMALL.identity
    assert changed(keep_weights=True).identity == SMALL.identity
    assert changed(epochs=99).identity != SMALL.identity


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"momentum": 0.9}, "momentum belongs to"),
        ({"split": "single_80_20"}, "folds must be 5"),
        ({"colour": 1}, "Extra inputs"),
        ({"hidden_layers": [8, 0]}, "greater than or equal to 1"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"class_weights": "inverse"}, "class_weights"),
        ({"patience": 0}, "patience"),
        ({"validation_share": 0.2, "patience": None}, "validation_share belongs to patience"),
        ({"warm_start": "emoset", "pretrained": True}, "not both"),
        ({"trainable": "last_layer"}, "freezes untrained layers"),
        ({"trainable": "last_layer", "pretrained": True, "hidden_layers": [8]}, "freezes untrained layers"),
        ({"trainable": "last_layer", "warm_start": "emoset"}, "without dropout and augment"),
    ],
)
def test_bad_entries_are_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        changed(**fields)


def test_unknown_classifier_names_the_known_ones() -> None:
    with pytest.raises(EveError, match=f"Known: {', '.join(classifiers(SETTINGS))}"):
        classifier("resnet", SETTINGS)


def test_weights_that_cannot_be_had() -> None:
    absent = changed(pretrained=True, model_args=SMALL.model_args | {"pretrained_cfg_overlay": {"file": "/nowhere.safetensors"}})
    with pytest.raises(EveError, match=r"classifier 'vit-sample' cannot be had.*\n.*huggingface\.co.*pretrained_cfg_overlay.*vit-sample"):
        build_network(absent, ("awe", "fear"))


@pytest.mark.parametrize("fields", [{"model": "nonsense"}, {"model_args": {"nonsense": 1}}])
def test_model_that_timm_does_not_know(fields: dict[str, object]) -> None:
    with pytest.raises(EveError, match=r"'vit-sample' cannot be built: .*nonsense"):
        build_network(changed(**fields), ("awe", "fear"))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"image_size": 32}, r"Input height \(32\) doesn't match model \(64\)"),
        ({"model_args": SMALL.model_args | {"in_chans": 1}}, "1 channels, but got 3"),
        ({"model_args": SMALL.model_args | {"num_heads": 3}}, "divisible"),
        ({"model_args": SMALL.model_args | {"global_pool": ""}}, r"not one a label \(2\)"),
    ],
)
def test_model_that_does_not_read_the_pictures(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(EveError, match=rf"'vit-sample' cannot be built: .*{complaint}"):
        build_network(changed(**fields), ("awe", "fear"))
