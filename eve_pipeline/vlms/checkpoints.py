"""Load a checkpoint as its authors made it: processor and model, from the hub or a folder, on one device or over several."""

from typing import Any, NamedTuple

from eve_pipeline.accelerator import pick_device
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import unreachable


class Checkpoint(NamedTuple):
    """A processor, which makes tensors of pictures and text, and the model that reads them; transformers gives them no common type."""

    processor: Any
    model: Any


def load_checkpoint(entry: ModelEntry, settings: Settings) -> Checkpoint:
    """Return the entry's checkpoint; weights go straight to their device, with EVE_DEVICE=auto to all GPUs and what is left to memory.

    Raises:
        EveError: neither the folder nor the hub nor its local cache has the checkpoint, or transformers cannot load it.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if entry.path and not (entry.path / "config.json").exists():
        raise unreachable(entry, f"{entry.path} is not a folder with a checkpoint")
    device = pick_device(settings.device)
    default = torch.bfloat16 if device.type == "cuda" else torch.float32
    source = entry.path or entry.id
    shared = {"revision": entry.revision, "trust_remote_code": entry.trust_remote_code}
    try:
        processor = AutoProcessor.from_pretrained(source, **shared)
        model = AutoModelForImageTextToText.from_pretrained(
            source,
            dtype=getattr(torch, entry.dtype) if entry.dtype else default,
            device_map="auto" if settings.device == "auto" else device,
            use_safetensors=True,
            **shared,
        )
    except OSError as error:
        raise (unloadable if entry.path else unreachable)(entry, str(error)) from error
    except (ImportError, KeyError, ValueError) as error:
        raise unloadable(entry, str(error)) from error
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None:
        raise unloadable(entry, "it has no processor for text and pictures together")
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return Checkpoint(processor, model.eval())


def unloadable(entry: ModelEntry, reason: str) -> EveError:
    """Return the error for a checkpoint that is there and of no use."""
    import transformers

    first_line = next((line for line in reason.splitlines() if line.strip()), "unknown reason").strip()
    return EveError(
        f"Model {entry.key!r} ({entry.id}) cannot be loaded by transformers {transformers.__version__}: {first_line}",
        "Complete the checkpoint or install what is named, or choose the model's version for transformers (its name often ends in -hf), "
        "or serve it elsewhere and add an entry with `backend: openai` and its `base_url:`.",
    )


def input_device(model: Any) -> Any:  # noqa: ANN401 - a torch device, an index or a name
    """Return where inputs go: the model's device, or the first that a spread model computes on; accelerate moves them on from there."""
    places = getattr(model, "hf_device_map", {}).values()
    return next((place for place in places if place != "disk"), "cpu") if places else model.device
