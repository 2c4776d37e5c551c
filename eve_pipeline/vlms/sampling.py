"""Draw tokens so that a sampled reply depends on its own request alone, not on the batch that it was asked in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eve_pipeline.vlms.registry import ModelEntry

if TYPE_CHECKING:
    import torch


def decoding(entry: ModelEntry, model: Any, seeds: Sequence[int]) -> dict[str, Any]:  # noqa: ANN401 - transformers' models have no common type
    """Return what `generate` is told; where the entry leaves a parameter open, the checkpoint's own configuration has it."""
    own, wanted = model.generation_config, entry.parameters
    fixed = {"max_new_tokens": wanted.max_new_tokens, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    is_sampled = own.do_sample or wanted.top_p is not None if wanted.temperature is None else wanted.temperature > 0
    if not is_sampled:
        return fixed
    temperature = own.temperature if wanted.temperature is None else wanted.temperature
    top_p = own.top_p if wanted.top_p is None else wanted.top_p
    return fixed | {"logits_processor": [OwnDraws(seeds, temperature or 1.0, top_p or 1.0, own.top_k or 0)]}


class OwnDraws:
    """Adds Gumbel noise from one random stream a row: the largest sum is then a draw from the row's distribution.

    Source: the Gumbel-max trick, Maddison, Tarlow & Minka, "A* Sampling", NeurIPS 2014, section 2.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float = 1.0, top_k: int = 0) -> None:
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self.seeds = seeds
        self.streams: list[torch.Generator] = []
        self.warpers: list[Any] = [TemperatureLogitsWarper(temperature)]
        self.warpers += [TopKLogitsWarper(top_k)] if top_k else []
        self.warpers += [TopPLogitsWarper(top_p)] if top_p < 1 else []

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of the next token, shape (batch, vocabulary), whose largest is the drawn one."""
        import torch

        self.streams = self.streams or [torch.Generator(scores.device).manual_seed(seed) for seed in self.seeds]
        for warp in self.warpers:
            scores = warp(input_ids, scores)
        waiting = torch.empty_like(scores)
        for row, stream in zip(waiting, self.streams, strict=True):
            row.exponential_(generator=stream)
        return scores - waiting.log()
