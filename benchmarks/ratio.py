"""Compare this project with a bare peer: both measured in turn, in one run, one line printed a comparison."""

from collections.abc import Callable
from statistics import median
from typing import Literal

ROUNDS = 5


def in_turn(ours: Callable[[], float], peer: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the medians of what both return (a rate, or seconds), called in turn, after one call each to warm up."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return median(first for first, _ in pairs), median(second for _, second in pairs)


def report(name: str, ours: float, peer: float, target: float, unit: Literal["/s", "s"] = "/s", peer_name: str = "bare") -> bool:  # noqa: PLR0913, PLR0917 - a line of a table
    """Print `images   ours 812/s   bare Pillow 850/s   ratio 0.96   target >= 0.90` and return whether the target is reached.

    Rates ("/s") shall be at least `target` times the peer's, durations ("s") at most.
    """
    ratio, is_rate = ours / peer, unit == "/s"
    reached = ratio >= target if is_rate else ratio <= target
    sign, digits = (">=", 0) if is_rate else ("<=", 2)
    figures = f"ours {ours:.{digits}f}{unit}   {peer_name} {peer:.{digits}f}{unit}   ratio {ratio:.2f}   target {sign} {target:.2f}"
    print(f"{name:<12}   {figures}{'' if reached else '   MISSED'}")
    return reached
