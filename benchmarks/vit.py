"""Score JPEG files with a ViT-B/16 of random weights through this project (decode, prepare, predict), against its bare forward pass."""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from ratio import in_turn, report

from eve_pipeline.accelerator import pick_device
from eve_pipeline.hard_subset.classifiers import classifier
from eve_pipeline.hard_subset.networks import build_network
from eve_pipeline.hard_subset.pictures import decode_pictures
from eve_pipeline.hard_subset.training import Examples, predict
from eve_pipeline.settings import Settings

LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
settings = Settings()
device = pick_device(settings.device)
n_images, batch = (4096, 128) if device.type == "cuda" else (48, 16)
entry = classifier("vit-b16-paper", settings).model_copy(update={"pretrained": False})
network = build_network(entry, LABELS).to(device).eval()


def write_photographs(folder: Path) -> list[Path]:
    """Return JPEG files of 640 x 480, the size of a picture on Flickr; a few are drawn and linked under many names."""
    random, files = np.random.default_rng(0), []
    for number in range(16):
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"drawn-{number}.jpg", quality=90)
    for number in range(n_images):
        files.append(folder / f"{number}.jpg")
        files[-1].hardlink_to(folder / f"drawn-{number % 16}.jpg")
    return files


def autocast() -> torch.autocast:
    """The precision that both sides compute in."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


with tempfile.TemporaryDirectory() as scratch:
    files = write_photographs(Path(scratch))
    prepared = torch.rand(batch, 3, 224, 224, device=device)
    layers = network[1:]  # without the conversion from bytes

    def ours() -> float:
        """Images a second from files to probabilities."""
        start = perf_counter()
        pictures = torch.from_numpy(decode_pictures(files, 224, settings.workers, Path(scratch)))
        examples = Examples(pictures, torch.zeros(n_images, dtype=torch.long, device=device))
        predict(network, examples, torch.randperm(n_images), batch)
        return n_images / (perf_counter() - start)

    def bare() -> float:
        """Images a second of the forward pass on one prepared batch, again and again."""
        start = perf_counter()
        with torch.inference_mode(), autocast():
            for _ in range(n_images // batch):
                scores = layers(prepared)
        scores.cpu()
        return n_images / (perf_counter() - start)

    report("ViT scoring", *in_turn(ours, bare, rounds=3), target=0.9)
