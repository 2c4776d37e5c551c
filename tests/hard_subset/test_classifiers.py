import pytest
import torch

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier, classifier, classifiers
from eve_pipeline.hard_subset.training import build_network
from eve_pipeline.settings import Settings

SETTINGS = Settings()
SMALL = classifier("vit-sample", SETTINGS)


def changed(**fields: object) -> Classifier:
    return Classifier.model_validate(SMALL.model_dump() | fields)


def test_the_papers_config() -> None:
    """Bhattacharyya & Wang 2025, as in their code: head 768-384-16-8 after dropout, SGD with cosine, one 80/20 split."""
    paper = classifier("vit-b16-paper", SETTINGS)
    assert paper.model_dump(exclude={"key", "description", "model_args", "augment", "seed"}) == {
        "model": "vit_base_patch16_224.orig_in21k_ft_in1k",
        "pretrained": True,
        "image_size": 224,
        "hidden_layers": (384, 16),
        "dropout": 0.2,
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 1e-5,
        "t_max": 200,
        "epochs": 30,
        "batch_size": 128,
        "split": "single_80_20",
        "folds": 5,
    }
    with torch.device("meta"):
        layers = build_network(paper.model_copy(update={"pretrained": False}), 8)
    assert [(layer.in_features, layer.out_features) for layer in layers if hasattr(layer, "in_features")] == [
        (768, 384),
        (384, 16),
        (16, 8),
    ]


def test_identity_is_of_what_changes_scores() -> None:
    assert SMALL.identity.startswith("vit-sample@")
    assert changed(description="Other.").identity == SMALL.identity
    assert changed(epochs=99).identity != SMALL.identity


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [({"momentum": 0.9}, "momentum belongs to"), ({"split": "single_80_20"}, "folds must be 5"), ({"colour": 1}, "Extra inputs")],
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
        build_network(absent, 2)


@pytest.mark.parametrize("fields", [{"model": "nonsense"}, {"model_args": {"nonsense": 1}}])
def test_model_that_timm_does_not_know(fields: dict[str, object]) -> None:
    with pytest.raises(EveError, match=r"'vit-sample' cannot be built: .*nonsense"):
        build_network(changed(**fields), 2)
