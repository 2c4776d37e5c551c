"""The benchmark's question as a task of inspect_ai, run in an environment of its own."""

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText


@task
def photographs(listing: str) -> Task:
    """Ask one question about each image of a listing (JSON lines with `image` and `question`)."""
    rows = [json.loads(line) for line in Path(listing).read_text(encoding="utf-8").splitlines()]
    return Task(
        dataset=MemoryDataset(
            [Sample(input=[ChatMessageUser(content=[ContentText(text=row["question"]), ContentImage(image=row["image"])])]) for row in rows]
        )
    )
