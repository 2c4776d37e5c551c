"""Local generation: batches against one image at a time, with the demo models, and where there is a GPU with a 7B-shaped one."""

import hashlib
import tempfile
import time
from pathlib import Path

import torch
from ratio import in_turn, report

from eve_pipeline.datasets.drawing import draw_dataset
from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.backends.transformers import TransformersVlm, open_vlm
from eve_pipeline.vlms.checkpoints import Checkpoint
from eve_pipeline.vlms.protocol import Request
from eve_pipeline.vlms.registry import Limits, Parameters, model_entry

SETTINGS = Settings()


def draw_requests(folder: Path) -> list[Request]:
    """Return the prompt `simple` about 256 drawn pictures."""
    draw_dataset(folder, seed=1, per_emotion=32)
    prompt = next(iter(render(prompt_variants(SETTINGS)["simple"], label_sets(SETTINGS)["abstract"], sentiments(SETTINGS)))).text
    return [
        Request(request_key=f"{number:064x}", image=file, image_sha256=hashlib.sha256(file.read_bytes()).hexdigest(), prompt=prompt, seed=0)
        for number, file in enumerate(sorted(folder.glob("*.jpg")))
    ]


def compare(name: str, vlm: TransformersVlm, requests: list[Request], n_alone: int, target: float) -> None:
    """Print how many images a second batches and single images come to; fewer of the latter are enough to measure."""
    single = TransformersVlm(vlm.entry.model_copy(update={"limits": Limits(batch_size=1)}), Checkpoint(vlm.processor, vlm.model))

    def rate(asked: TransformersVlm, part: list[Request]) -> float:
        started = time.perf_counter()
        replies = list(asked.respond(part))
        if errors := [reply.error for reply in replies if reply.error]:
            raise SystemExit(errors[0])
        return len(part) / (time.perf_counter() - started)

    rates = in_turn(lambda: rate(vlm, requests), lambda: rate(single, requests[:n_alone]))
    report(name, *rates, target=target, peer_name="one at a time")


def random_llava(device: str, **text: int) -> TransformersVlm:
    """Return a LLaVA-1.5 of random weights in bfloat16 that says 32 tokens; it has 7 billion parameters, unless `text` says less."""
    from transformers import (
        AutoProcessor,
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    entry = model_entry("demo-llava-small", SETTINGS)
    own = AutoProcessor.from_pretrained(entry.path)
    images = CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    parts = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    processor = LlavaProcessor(images, own.tokenizer, chat_template=own.chat_template, **parts)
    tower = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**tower, image_size=336, patch_size=14),
        text_config=LlamaConfig(**({"vocab_size": 32064} | text)),
        image_token_index=own.tokenizer.convert_tokens_to_ids("<image>"),
        dtype=torch.bfloat16,
    )
    with torch.device(device):
        model = LlavaForConditionalGeneration._from_config(config).eval()  # noqa: SLF001 - the one way to random weights in a dtype
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, own.tokenizer.pad_token_id
    sized = {"parameters": Parameters(max_new_tokens=32), "limits": Limits(batch_size=32)}
    return TransformersVlm(entry.model_copy(update=sized), Checkpoint(processor, model))


def main() -> None:
    """Print a line a model."""
    with tempfile.TemporaryDirectory() as folder:
        requests = draw_requests(Path(folder) / "drawn")
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(requests)} pictures, prompt simple")
        for key in ("demo-llava-small", "demo-llava-base"):
            with open_vlm(model_entry(key, SETTINGS), Settings(device="cpu")) as vlm:
                compare(key.removeprefix("demo-"), vlm, requests, n_alone=64, target=5)
        if torch.cuda.is_available():
            compare("llava 7B", random_llava("cuda"), requests[:128], n_alone=8, target=8)
        else:
            print("no GPU: the 7B-shaped model is left out")


if __name__ == "__main__":
    main()
