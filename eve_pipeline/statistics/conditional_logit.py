"""Conditional logit of the label chosen from a list: what the label does apart from what its position does."""

import numpy as np
from numpy.typing import NDArray

from eve_pipeline.statistics.bootstrap import DRAWS, FEWEST_IMAGES, resample
from eve_pipeline.statistics.scores import Floats

Integers = NDArray[np.int64]

MAX_STEPS = 30
CONVERGED = 1e-8
JITTER = 1e-12
IDENTIFIED = 1e-9
ABSENT = -1000.0  # a utility whose exponential is 0


def fit_effects(counts: Floats, positions: Integers) -> Floats:
    """Return the maximum-likelihood effects of b samples, shape (b, 2, k): of the k labels, then of the k positions, in log-odds.

    P(label j | order o) is proportional to exp(label effect of j + position effect of j's position in o). Either kind of effect sums to
    zero over the labels (positions) that the sample chose at all. The covariates depend on order and label alone, so that counts are
    sufficient. What a sample never chose has no finite effect and is NaN; so are all effects of a sample whose likelihood has no unique,
    finite maximum.

    Args:
        counts: how often each label was chosen in each order, shape (b, orders, k).
        positions: position of each label in each order, from 0, shape (orders, k).

    Source: D. McFadden (1974), Conditional logit analysis of qualitative choice behavior, in Frontiers in Econometrics, 105-142. It has the
    estimates of a Poisson regression with an effect for each order: S. G. Baker (1994), The multinomial-Poisson transformation, The
    Statistician 43(4), 495-504; J. B. Lang (1996), On the comparison of multinomial and Poisson log-linear models, JRSS B 58(1), 253-266.
    """
    k = positions.shape[1]
    design = np.concatenate([np.broadcast_to(np.eye(k), (*positions.shape, k)), np.eye(k)[positions]], axis=2)
    chosen = counts.reshape(len(counts), -1) @ design.reshape(-1, 2 * k)
    effects, step = np.zeros_like(chosen), np.ones_like(chosen)
    information = _constraints(chosen)
    for _ in range(MAX_STEPS):
        score, information = _derivatives(effects, chosen, counts.sum(axis=2), design)
        step = np.linalg.solve(information, score[..., None])[..., 0]
        effects += step / np.maximum(1, np.abs(step).max(axis=1, keepdims=True))
        if np.abs(step).max() < CONVERGED:
            break
    has_maximum = np.abs(step).max(axis=1) < CONVERGED
    is_unique = np.linalg.eigvalsh(information).min(axis=1) > IDENTIFIED * chosen.sum(axis=1)
    is_known = (chosen > 0) & (has_maximum & is_unique)[:, None]
    return np.where(is_known, effects, np.nan).reshape(-1, 2, k)


def _derivatives(effects: Floats, chosen: Floats, n: Floats, design: Floats) -> tuple[Floats, Floats]:
    """Return gradient (b, 2k) and constrained information (b, 2k, 2k) of the log-likelihood; `n` holds the answers in each order."""
    orders, k, width = design.shape
    utility = (np.where(chosen > 0, effects, ABSENT) @ design.reshape(-1, width).T).reshape(-1, orders, k)
    odds = np.exp(utility - utility.max(axis=2, keepdims=True))
    expected = n[..., None] * odds / odds.sum(axis=2, keepdims=True)
    mean = (odds / odds.sum(axis=2, keepdims=True)).transpose(1, 0, 2) @ design  # (orders, b, 2k)
    flat = expected.reshape(len(expected), -1)
    products = (design[..., :, None] * design[..., None, :]).reshape(orders * k, -1)
    of_orders = (mean * n.T[..., None]).transpose(1, 2, 0) @ mean.transpose(1, 0, 2)
    information = (flat @ products).reshape(-1, width, width) - of_orders
    return chosen - flat @ design.reshape(-1, width), information + _constraints(chosen)


def _constraints(chosen: Floats) -> Floats:
    """Return what makes the information regular and no fit worse: effects sum to zero, and what was never chosen does not move."""
    is_chosen = chosen > 0
    n = np.maximum(chosen.sum(axis=1), 1)[:, None, None]
    kind = np.repeat([0, 1], chosen.shape[1] // 2)
    together = is_chosen[:, :, None] & is_chosen[:, None, :] & (kind[:, None] == kind)
    fixed = np.eye(len(kind)) * (~is_chosen[:, None, :] + JITTER)
    return np.asarray(n * (together + fixed))


def effect_intervals(counts: Floats, positions: Integers, draws: int = DRAWS) -> tuple[Floats, Floats, Floats]:
    """Return the effects of `fit_effects` for all images together and both ends of their 95 % percentile intervals, each of shape (2, k).

    Images are resampled with all their answers. A resample without a finite estimate counts in both tails: an end that lies among
    them is NaN. So are both ends where there are fewer than two images.

    Args:
        counts: how often each label was chosen in each order, shape (images, orders, k).
        positions: position of each label in each order, from 0, shape (orders, k).
        draws: number of resamples.

    Source: B. Efron and R. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    estimate = fit_effects(counts.sum(axis=0, keepdims=True), positions)[0]
    if len(counts) < FEWEST_IMAGES:
        return estimate, np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    profiles, n_images = np.unique(counts.reshape(len(counts), -1), axis=0, return_counts=True)
    resampled = fit_effects(resample(n_images, profiles, draws).reshape(draws, *counts.shape[1:]), positions)
    is_wanted = np.isfinite(estimate)
    is_known = (np.isfinite(resampled) | ~is_wanted).all(axis=2, keepdims=True) & is_wanted
    low = np.quantile(np.where(is_known, resampled, -np.inf), 0.025, axis=0, method="lower")
    high = np.quantile(np.where(is_known, resampled, np.inf), 0.975, axis=0, method="higher")
    return estimate, np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)
