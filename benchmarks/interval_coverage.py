"""How often the 95 % intervals cover the truth: simulated models whose true scores are known, with one answer an image, 5 and 8.

Images are drawn from a population: each has a truth and a difficulty, which all answers about it share, so that the answers of an image
resemble each other. Beside ours stand intervals that take each answer as the unit. Prints one line a setting; the last column is how
often the swap test finds a difference at 5 % between two models of equal skill, one with the setting's answers an image, one with one.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from eve_pipeline.statistics.bootstrap import Interval, bca_interval, percentile_interval, resample
from eve_pipeline.statistics.comparisons import differences
from eve_pipeline.statistics.scores import Score, sentiment_bias, weighted_f1

CLASSES = np.array([0.24, 0.2, 0.16, 0.12, 0.1, 0.08, 0.06, 0.04])
"""Shares of the eight emotions; those at even places are negative."""

SIZES, ANSWERS = (100, 500, 2500), (1, 5, 8)
DATASETS, DRAWS, POPULATION = 1000, 1000, 400_000
SPREAD, SKILL, OTHER_SKILL = 1.2, 0.4, 0.0
ALPHA = 0.05
NAMES = ("F1", "F1 (BCa)", "bias", "difference", "F1, answer as unit", "swap test, no diff.")
RANGES = ((0.93, 0.97),) * 5 + ((0.03, 0.07),)


class Images(NamedTuple):
    """The truth (images,) and how often each of two models answered each class (images, classes)."""

    truth: np.ndarray
    answers: tuple[np.ndarray, np.ndarray]


def draw_images(n: int, n_answers: int, random: np.random.Generator, other: tuple[float, int] | None = None) -> Images:
    """Return images with the answers of two models; wrong answers prefer the classes of the other sentiment a little.

    `other` is the second model's skill and how many answers it gives, by default OTHER_SKILL and as many as the first.
    """
    k = len(CLASSES)
    truth, difficulty = random.choice(k, n, p=CLASSES), random.normal(0, SPREAD, n)
    told = []
    for skill, n_told in ((SKILL, n_answers), other or (OTHER_SKILL, n_answers)):
        right = 1 / (1 + np.exp(-(skill - difficulty)))
        lure = np.where(np.arange(k) % 2, 1.3, 1.0) * (np.arange(k) != truth[:, None])
        chances = lure / lure.sum(axis=1, keepdims=True) * (1 - right)[:, None]
        chances[np.arange(n), truth] = right
        told.append(random.multinomial(n_told, chances))
    return Images(truth, (told[0], told[1]))


def f1(truth: np.ndarray, answers: np.ndarray) -> Score:
    """Return weighted F1 with each image as a kind of its own."""
    of = np.eye(len(CLASSES))[truth]
    return Score(weighted_f1, np.hstack([of * answers.sum(axis=1, keepdims=True), answers, of * answers]).astype(float))


def bias(truth: np.ndarray, answers: np.ndarray) -> Score:
    """Return the sentiment bias with each image as a kind of its own."""
    positive, said = truth % 2 == 1, answers[:, 1::2].sum(axis=1)
    n = answers.sum(axis=1)
    return Score(sentiment_bias, np.column_stack([~positive * said, positive * (n - said), n]).astype(float))


def scores(images: Images) -> tuple[float, float, float]:
    """Return F1 and bias of the first model, and the difference of both models' F1."""
    ones = np.ones(len(images.truth), dtype=np.int64)
    first, second = (f1(images.truth, answers).of(ones) for answers in images.answers)
    return first, bias(images.truth, images.answers[0]).of(ones), first - second


def covers(seed: int, n: int, n_answers: int, truth: tuple[float, float, float]) -> list[bool]:
    """Return, for one simulated dataset, whether each interval of NAMES covers the truth, and whether the swap test is mistaken."""
    random = np.random.default_rng(seed)
    images = draw_images(n, n_answers, random)
    ones = np.ones(n, dtype=np.int64)
    one, other, leaning = (*(f1(images.truth, answers) for answers in images.answers), bias(images.truth, images.answers[0]))
    parts = [one.weights, other.weights, leaning.weights]
    drawn = np.split(resample(ones, np.hstack(parts), DRAWS, seed), np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    values = one.function(drawn[0])
    found = (
        (percentile_interval(values), truth[0]),
        (bca_interval(one, ones, values), truth[0]),
        (percentile_interval(leaning.function(drawn[2])), truth[1]),
        (percentile_interval(values - other.function(drawn[1])), truth[2]),
        (answer_interval(images, seed), truth[0]),
    )
    alike = draw_images(n, n_answers, random, (SKILL, 1))
    (difference,) = differences(((f1(alike.truth, alike.answers[0]), f1(alike.truth, alike.answers[1])),), ones, DRAWS)
    return [*(bool(interval.low <= known <= interval.high) for interval, known in found), difference.p_value < ALPHA]


def answer_interval(images: Images, seed: int) -> Interval:
    """Return the interval that takes every answer for independent."""
    k = len(CLASSES)
    table = np.stack([images.answers[0][images.truth == truth].sum(axis=0) for truth in range(k)])
    truth, said = (axis.ravel() for axis in np.indices((k, k)))
    cells = f1(truth, np.eye(k, dtype=np.int64)[said])
    counts = table.ravel()
    used = counts > 0
    return percentile_interval(cells.function(resample(counts[used], cells.weights[used], DRAWS, seed)))


def main(datasets: int = DATASETS) -> None:
    """Simulate every setting and print what share of datasets each interval covers."""
    print(f"{'answers':>7} {'images':>6}   " + "   ".join(f"{name:>18}" for name in NAMES))
    with ProcessPoolExecutor() as processes:
        for n_answers in ANSWERS:
            truth = scores(draw_images(POPULATION, n_answers, np.random.default_rng(0)))
            for n in SIZES:
                one = partial(covers, n=n, n_answers=n_answers, truth=truth)
                shares = np.mean(list(processes.map(one, range(1, datasets + 1), chunksize=20)), axis=0)
                marks = ["" if low <= share <= high else " !" for share, (low, high) in zip(shares, RANGES, strict=True)]
                print(
                    f"{n_answers:>7} {n:>6}   " + "   ".join(f"{share:>16.3f}{mark:<2}" for share, mark in zip(shares, marks, strict=True))
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
