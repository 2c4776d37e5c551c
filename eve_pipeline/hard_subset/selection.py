"""Which images are hard, and the seeded draw of some of them (Bhattacharyya & Wang 2025, benchmark construction).

Pure functions; the result does not depend on the order of rows.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import polars as pl

Allocation = Literal["proportional", "balanced"]
Counts = dict[str, int]


class Selection(NamedTuple):
    """A drawn subset: the images in order of id, how many of each label, and the seed.

    `seed` is None where nothing had to be drawn: `n_wanted` or fewer images are hard, and all of them are in.
    """

    image_ids: tuple[str, ...]
    n_wanted: int
    n_hard_by_label: Counts
    n_selected_by_label: Counts
    seed: int | None

    @property
    def is_short(self) -> bool:
        """Whether fewer images are hard than were wanted."""
        return len(self.image_ids) < self.n_wanted


def hard_images(scores: pl.DataFrame, threshold: float = 0.8) -> pl.DataFrame:
    """Return the rows of `classifier_scores` whose probability of the true label is below `threshold`.

    Above 0.5 a threshold takes in every wrong prediction: a label that another one beats has at most probability 0.5.
    """
    return scores.filter(pl.col("p_true") < threshold)


def proportional_quotas(counts: Mapping[str, int], n: int) -> Counts:
    """Return how many of each label to draw, proportional to `counts`, by largest remainder; together min(n, all).

    Of equal remainders the label with more images goes first, then the alphabet decides.
    """
    total = sum(counts.values())
    n = min(n, total)
    quotas = {label: n * count // total for label, count in counts.items() if count}
    by_remainder = sorted(quotas, key=lambda label: (-(n * counts[label] % total), -counts[label], label))
    for label in by_remainder[: n - sum(quotas.values())]:
        quotas[label] += 1
    return quotas


def balanced_quotas(counts: Mapping[str, int], n: int) -> Counts:
    """Return how many of each label to draw, as equal as `counts` allow; together min(n, all)."""
    quotas = {label: 0 for label in sorted(counts) if counts[label]}
    for _ in range(min(n, sum(counts.values()))):
        unfilled = [label for label in quotas if quotas[label] < counts[label]]
        quotas[min(unfilled, key=quotas.__getitem__)] += 1
    return quotas


def draw(hard: pl.DataFrame, n: int, allocation: Allocation = "proportional", seed: int = 0) -> Selection:
    """Return `n` of the hard images (image_id, label), or all of them where there are no more.

    Each label's images are taken in order of a seeded hash of their id, so an image keeps its place when others come or go.
    """
    ids: dict[str, list[str]] = {}
    for image_id, label in hard.select("image_id", "label").iter_rows():
        ids.setdefault(label, []).append(image_id)
    counts = {label: len(ids[label]) for label in sorted(ids)}
    quotas = (balanced_quotas if allocation == "balanced" else proportional_quotas)(counts, n)
    drawn = [image_id for label, quota in quotas.items() for image_id in sorted(ids[label], key=lambda name: _place(seed, name))[:quota]]
    return Selection(tuple(sorted(drawn)), n, counts, quotas, seed if n < hard.height else None)


def _place(seed: int, image_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{image_id}".encode()).digest()
