"""The transformers backend on a real LLaVA checkpoint, loaded as any other."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from eve_pipeline.datasets.drawing import draw_dataset
from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.errors import EveError
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.backends.transformers import TransformersVlm
from eve_pipeline.vlms.protocol import Reply, Request, open_vlm
from eve_pipeline.vlms.registry import Limits, ModelEntry, Parameters, model_entry


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("drawn") / "pictures"
    draw_dataset(folder, seed=1, per_emotion=2)
    return sorted(folder.glob("*.jpg"))


@pytest.fixture
def entry(settings: Settings) -> ModelEntry:
    return model_entry("demo-llava-small", settings)


def requests_for(pictures: list[Path], settings: Settings, *prompts: str) -> list[Request]:
    variants, labels = prompt_variants(settings), label_sets(settings)["abstract"]
    texts = [next(iter(render(variants[prompt], labels, sentiments(settings)))).text for prompt in prompts]
    pairs = [(picture, text) for text in texts for picture in pictures]
    return [
        Request(request_key=f"{n:064x}", image=picture, image_sha256=sha256(picture), prompt=text, seed=0)
        for n, (picture, text) in enumerate(pairs)
    ]


def respond(entry: ModelEntry, settings: Settings, requests: list[Request]) -> dict[str, Reply]:
    with open_vlm(entry, settings) as vlm:
        return {reply.request_key: reply for reply in vlm.respond(requests)}


def test_a_batch_says_what_each_image_alone_is_told(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    requests = requests_for(pictures, settings, "simple", "explanation")
    together = respond(entry.model_copy(update={"limits": Limits(batch_size=5)}), settings, requests)
    alone = respond(entry.model_copy(update={"limits": Limits(batch_size=1)}), settings, requests)
    assert {key: reply.text for key, reply in together.items()} == {key: reply.text for key, reply in alone.items()}
    assert {key: reply.prompt_tokens for key, reply in together.items()} == {key: reply.prompt_tokens for key, reply in alone.items()}
    assert len(together) == len(requests)


def test_the_longest_and_largest_are_asked_first_and_like_beside_like(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    sizes = [(40, 30), (64, 64), (40, 50), (64, 20)]
    requests = [
        request.model_copy(update={"width": width, "height": height})
        for request, (width, height) in zip(requests_for(pictures[:2], settings, "simple", "explanation"), sizes, strict=True)
    ]
    order = [reply.request_key for reply in respond(entry.model_copy(update={"limits": Limits(batch_size=2)}), settings, requests).values()]
    by_key = {request.request_key: request for request in requests}
    assert [(by_key[key].width, by_key[key].height) for key in order] == [(64, 20), (40, 50), (64, 64), (40, 30)]
    assert len(by_key[order[0]].prompt) > len(by_key[order[2]].prompt)


def test_a_reply_is_json_and_says_how_it_came(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    for reply in respond(entry, settings, requests_for(pictures, settings, "simple")).values():
        assert set(json.loads(reply.text or "")) == {"prediction"}
        assert (reply.delivery, reply.finish_reason, reply.served_model) == ("received", "stop", "demo-llava-small")
        assert reply.completion_tokens is not None
        assert 3 <= reply.completion_tokens < 20
        assert "transformers" in (reply.system_fingerprint or "")


def test_a_cut_reply_is_kept_and_marked(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    short = entry.model_copy(update={"parameters": Parameters(max_new_tokens=3)})
    replies = respond(short, settings, requests_for(pictures[:3], settings, "explanation")).values()
    assert {(reply.finish_reason, reply.completion_tokens) for reply in replies} == {("length", 3)}


def short_of_memory(vlm: TransformersVlm, fits: int) -> list[int]:
    """Let the model ask torch for more memory than any machine has when it sees more than `fits` pictures; return the sizes it saw."""
    sizes: list[int] = []

    def allocate(module: torch.nn.Module, arguments: tuple[object, ...], named: dict[str, torch.Tensor]) -> None:
        if named["input_ids"].shape[1] > 1:  # the prompt, not a next token
            sizes.append(len(named["input_ids"]))
            if sizes[-1] > fits:
                torch.empty(2**60)

    vlm.model.register_forward_pre_hook(allocate, with_kwargs=True)
    return sizes


def test_where_memory_runs_out_smaller_batches_say_the_same(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    requests = requests_for(pictures, settings, "simple", "explanation")
    sampled = entry.model_copy(update={"parameters": Parameters(max_new_tokens=20, temperature=1), "limits": Limits(batch_size=8)})
    for asked in (entry.model_copy(update={"limits": Limits(batch_size=8)}), sampled):
        expected = {key: reply.text for key, reply in respond(asked, settings, requests).items()}
        with open_vlm(asked, settings) as vlm:
            sizes = short_of_memory(vlm, fits=3)  # type: ignore[arg-type]
            replies = {reply.request_key: reply.text for reply in vlm.respond(requests)}
        assert replies == expected
        assert sizes == [8, 4, *[2] * (len(requests) // 2)]


def test_an_image_too_large_for_memory_says_what_to_do(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    requests = requests_for(pictures[:2], settings, "simple")
    with open_vlm(entry, settings) as vlm:
        short_of_memory(vlm, fits=0)  # type: ignore[arg-type]
        replies = list(vlm.respond(requests))
    assert [reply.delivery for reply in replies] == ["error", "error"]
    assert all("EVE_DEVICE=auto" in (reply.error or "") for reply in replies)


def test_preparing_the_next_batch_meanwhile_changes_nothing(entry: ModelEntry, settings: Settings, pictures: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    requests = requests_for([*pictures, broken], settings, "simple")
    with open_vlm(entry.model_copy(update={"limits": Limits(batch_size=5)}), settings) as vlm:
        assert isinstance(vlm, TransformersVlm)
        before = [(reply.request_key, reply.text, reply.delivery) for reply in vlm.respond(requests)]
        vlm.is_ahead = not vlm.is_ahead
        assert [(reply.request_key, reply.text, reply.delivery) for reply in vlm.respond(requests)] == before


def test_an_image_that_cannot_be_opened_fails_alone(entry: ModelEntry, settings: Settings, pictures: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    requests = requests_for([*pictures[:3], broken], settings, "simple")
    replies = respond(entry, settings, requests)
    assert [replies[request.request_key].delivery for request in requests] == ["received"] * 3 + ["error"]


def test_sampling_follows_its_key(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    sampled = entry.model_copy(update={"parameters": Parameters(max_new_tokens=40, temperature=2.0)})
    requests = requests_for(pictures, settings, "no_labels")
    texts = [reply.text for reply in respond(sampled, settings, requests).values()]
    assert texts == [reply.text for reply in respond(sampled, settings, requests).values()]
    others = [request.model_copy(update={"request_key": f"{n + 2**230:064x}"}) for n, request in enumerate(requests)]
    assert texts != [reply.text for reply in respond(sampled, settings, others).values()]


def test_a_sampled_reply_depends_on_its_own_key_alone(entry: ModelEntry, settings: Settings, pictures: list[Path]):
    sampled = entry.model_copy(update={"parameters": Parameters(max_new_tokens=40, temperature=2.0)})
    requests = requests_for(pictures, settings, "no_labels")
    together = respond(sampled, settings, requests)
    alone = respond(sampled, settings, requests[5:6])
    assert alone[requests[5].request_key].text == together[requests[5].request_key].text


def test_a_folder_without_a_checkpoint_names_the_entry_and_the_ways_to_get_it(entry: ModelEntry, settings: Settings, tmp_path: Path):
    with pytest.raises(EveError, match="'demo-llava-small'") as caught, open_vlm(entry.model_copy(update={"path": tmp_path}), settings):
        pass
    assert f"Put the whole checkpoint into {tmp_path}" in caught.value.hint
