"""Draw abstract pictures that evoke emotions, with simulated viewers' votes, in the layout of the Abstract dataset.

A picture mixes an intended emotion with a neighbour: their grounds flow into one another, their inks and forms share the canvas, and
the votes split in the same proportion.
"""

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from eve_pipeline.errors import EveError

Floats = NDArray[np.float64]
Colour = tuple[int, int, int, int]

SIDE = 256
VOTES = 14
MAX_AMBIGUITY = 0.42
_REVISION = 1
_CANVAS = 2 * SIDE  # drawn twice as large and reduced, which smooths the edges
_VOTE_STREAM = 7  # votes have their own random stream: they do not depend on how a picture is painted
_STRAY_VOTES = 0.1  # share of votes that have nothing to do with the picture
_STRAY_PAINT = 0.5  # how far colour and form stray from the intended mix: what keeps recognition from being perfect
_COLUMNS = ("Amusement", "Anger", "Awe", "Content", "Disgust", "Excitement", "Fear", "Sad")


class Pen:
    """Draws translucent forms in a few inks; all lengths are in canvas sides."""

    def __init__(self, image: Image.Image, inks: Sequence[str], rng: np.random.Generator) -> None:
        self.rng = rng
        self._inks = [ImageColor.getrgb(ink)[:3] for ink in inks]
        self._draw = ImageDraw.Draw(image, "RGBA")

    def ink(self, opacity: float, which: int | None = None) -> Colour:
        """Return one of the inks, a random one by default, slightly off its hue."""
        red, green, blue = self._inks[self.rng.integers(len(self._inks)) if which is None else which]
        red, green, blue = np.clip(np.array([red, green, blue]) + self.rng.normal(0, 12, 3), 0, 255).astype(int).tolist()
        return red, green, blue, int(255 * opacity)

    def spot(self, low: float = 0.0, high: float = 1.0) -> Floats:
        """Return a random point."""
        return self.rng.uniform(low, high, 2)

    def disc(self, centre: Floats, radius: float, colour: Colour, squash: float = 1.0) -> None:
        """Fill a circle, or an ellipse where `squash` is not 1."""
        reach = np.array([radius, radius * squash])
        self._draw.ellipse([*((centre - reach) * _CANVAS), *((centre + reach) * _CANVAS)], fill=colour)

    def ring(self, centre: Floats, radius: float, colour: Colour, squash: float = 1.0) -> None:
        """Outline a circle or an ellipse."""
        reach = np.array([radius, radius * squash])
        self._draw.ellipse([*((centre - reach) * _CANVAS), *((centre + reach) * _CANVAS)], outline=colour, width=3)

    def shape(self, points: Floats, colour: Colour) -> None:
        """Fill a polygon of shape (n, 2)."""
        self._draw.polygon((points * _CANVAS).ravel().tolist(), fill=colour)

    def line(self, points: Floats, colour: Colour, width: float) -> None:
        """Draw through points of shape (n, 2)."""
        self._draw.line((points * _CANVAS).ravel().tolist(), fill=colour, width=max(1, round(width * _CANVAS)), joint="curve")

    def stroke(self, points: Floats, width: float, which: int | None = None) -> None:
        """Drag a wide brush through points of shape (n, 2); every bristle has its own tint and length."""
        which = int(self.rng.integers(len(self._inks))) if which is None else which
        normal = np.stack([-np.gradient(points[:, 1]), np.gradient(points[:, 0])], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        for offset in np.linspace(-0.5, 0.5, max(3, round(width * 180))):
            end = self.rng.integers(len(points) * 2 // 3, len(points) + 1)
            self.line((points + normal * offset * width)[:end], self.ink(0.55, which), 0.008)


def _towards(angles: Floats) -> Floats:
    """Return unit vectors, (n, 2), at angles in radians."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _arc(start: Floats, angle: float, length: float, bend: float) -> Floats:
    """Return a path of 16 points that leaves `start` at `angle` and turns by `bend`."""
    path: Floats = start + np.cumsum(_towards(angle + np.linspace(0, bend, 16)), axis=0) * length / 16
    return path


def _blob(pen: Pen, centre: Floats, radius: float, wobble: float) -> Floats:
    """Return the outline of an irregular round shape."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    phases = pen.rng.uniform(0, 2 * np.pi, 3)
    reach = 1 + wobble * sum(np.sin(k * turn + phase) / k for k, phase in enumerate(phases, 2))
    outline: Floats = centre + radius * _towards(turn) * np.expand_dims(reach, 1)
    return outline


def _count(share: float, full: int) -> int:
    return max(1, round(share * full))


def _bubbles(pen: Pen, share: float) -> None:
    """Amusement: nested discs, confetti and smiles."""
    for _ in range(_count(share, 13)):
        centre, radius = pen.spot(), pen.rng.uniform(0.03, 0.15)
        for scale in np.linspace(1, 0.25, pen.rng.integers(2, 5)):
            pen.disc(centre, radius * scale, pen.ink(0.85))
        pen.ring(centre, radius * 1.15, pen.ink(0.7))
    for _ in range(_count(share, 50)):
        pen.disc(pen.spot(), pen.rng.uniform(0.004, 0.013), pen.ink(0.9))
    for _ in range(_count(share, 5)):
        pen.stroke(_arc(pen.spot(), pen.rng.uniform(0.6, 1.2), 0.28, -pen.rng.uniform(1.5, 2.5)), 0.025)


def _shards(pen: Pen, share: float) -> None:
    """Anger: splinters that fly from one point, and slashes across them."""
    focus = pen.spot(0.25, 0.75)
    for angle in pen.rng.uniform(0, 2 * np.pi, _count(share, 34)):
        near, far, spread = pen.rng.uniform(0.02, 0.2), pen.rng.uniform(0.35, 0.95), pen.rng.uniform(0.04, 0.16)
        reach, angles = np.array([near, far, far * 0.75]), np.array([angle, angle, angle + spread])
        pen.shape(focus + reach[:, None] * _towards(angles), pen.ink(0.8))
    for _ in range(_count(share, 7)):
        pen.stroke(_arc(pen.spot(-0.1, 0.8), pen.rng.uniform(0.3, 1.1), pen.rng.uniform(0.4, 0.9), 0.15), 0.04)


def _halo(pen: Pen, share: float) -> None:
    """Awe: a great light, its rays and rings, and stars."""
    centre = np.array([pen.rng.uniform(0.25, 0.75), pen.rng.uniform(0.25, 0.55)])
    for angle in pen.rng.uniform(0, 2 * np.pi, _count(share, 44)):
        tips = centre + pen.rng.uniform(0.5, 1.2) * _towards(angle + np.array([0, pen.rng.uniform(0.01, 0.07)]))
        pen.shape(np.vstack([centre, tips]), pen.ink(0.16))
    for radius in np.linspace(0.42, 0.05, _count(share, 12)):
        pen.disc(centre, radius, pen.ink(0.13, 0))
        pen.ring(centre, radius * pen.rng.uniform(0.95, 1.5), pen.ink(0.4))
    for _ in range(_count(share, 70)):
        pen.disc(pen.spot(), pen.rng.exponential(0.002) + 0.001, pen.ink(0.85, 0))


def _waves(pen: Pen, share: float) -> None:
    """Contentment: calm hills or waters under a soft sun."""
    sun = np.array([pen.rng.uniform(0.15, 0.85), pen.rng.uniform(0.15, 0.4)])
    for radius in np.linspace(0.2, 0.08, 5) * pen.rng.uniform(0.6, 1.2):
        pen.disc(sun, radius, pen.ink(0.25, 0))
    across = np.linspace(-0.05, 1.05, 40)
    for base in np.linspace(1 - 0.62 * share - 0.05, 0.95, _count(share, 7)):
        swell = pen.rng.uniform(0.015, 0.05) * np.sin(across * pen.rng.uniform(3, 8) + pen.rng.uniform(0, 6))
        crest = np.stack([across, base + swell], axis=1)
        pen.shape(np.vstack([crest, [[1.05, 1.05], [-0.05, 1.05]]]), pen.ink(0.62))
        pen.line(crest, pen.ink(0.45, 0), 0.004)


def _ooze(pen: Pen, share: float) -> None:
    """Disgust: slime that runs down from blotches with spots."""
    for _ in range(_count(share, 9)):
        centre, radius = pen.spot(-0.05, 0.95), pen.rng.uniform(0.06, 0.19)
        which = int(pen.rng.integers(5))
        for offset in pen.rng.uniform(-0.8, 0.8, 4) * radius:
            width, length = radius * pen.rng.uniform(0.08, 0.2), pen.rng.uniform(0.1, 0.42)
            end = centre + np.array([offset, length])
            pen.line(np.array([centre + np.array([offset, 0]), end]), pen.ink(0.9, which), width * 2)
            pen.disc(end, width * 1.25, pen.ink(0.95, which), 1.3)
        pen.shape(_blob(pen, centre, radius, 0.28), pen.ink(0.9, which))
        for spot in pen.rng.normal(centre, radius * 0.4, (6, 2)):
            pen.shape(_blob(pen, spot, radius * pen.rng.uniform(0.05, 0.22), 0.3), pen.ink(0.75))


def _bursts(pen: Pen, share: float) -> None:
    """Excitement: curved strokes that burst from several centres, with sparks."""
    for _ in range(_count(share, 4)):
        angles = np.linspace(0, 2 * np.pi, 15, endpoint=False) + pen.rng.normal(0, 0.12, 15)
        centre, bend, reach = pen.spot(0.1, 0.9), pen.rng.uniform(-1.6, 1.6), pen.rng.uniform(0.25, 0.5)
        for angle, way in zip(angles, _towards(angles), strict=True):
            length = reach * pen.rng.uniform(0.5, 1.2)
            path = _arc(centre + 0.12 * reach * way, angle, length, bend)
            pen.stroke(path, pen.rng.uniform(0.012, 0.03))
            pen.disc(path[-1] + pen.rng.normal(0, 0.02, 2), pen.rng.uniform(0.004, 0.014), pen.ink(0.95))


def _claws(pen: Pen, share: float) -> None:
    """Fear: a void that pulls everything in, and crooked branches that reach from the edges."""
    void = pen.spot(0.3, 0.7)
    for radius in np.linspace(0.36, 0.06, _count(share, 9)):
        pen.shape(_blob(pen, void, radius, 0.15), pen.ink(0.3, 0))
    for _ in range(_count(share, 13)):
        root = void + pen.rng.uniform(0.55, 0.85) * _towards(pen.rng.uniform(0, 2 * np.pi, 1))[0]
        way = np.linspace(0, pen.rng.uniform(0.55, 0.95), 14)[:, None]
        branch = root + way * (void - root) + np.cumsum(pen.rng.normal(0, 0.014, (14, 2)), axis=0)
        for first in range(13):
            pen.line(branch[first : first + 2], pen.ink(0.95, 0), 0.022 * (1 - first / 14) + 0.002)
        for twig in branch[4:13:3]:
            pen.line(_arc(twig, pen.rng.uniform(0, 6.3), 0.14, pen.rng.normal(0, 1)), pen.ink(0.9, 0), 0.004)
    for _ in range(_count(share, 14)):
        pen.line(_arc(pen.spot(), pen.rng.uniform(1.2, 1.9), pen.rng.uniform(0.1, 0.4), 0.1), pen.ink(0.4), 0.003)


def _rain(pen: Pen, share: float) -> None:
    """Sadness: hanging strands, rain, and rings on still water."""
    for _ in range(_count(share, 17)):
        start, lean = np.array([pen.rng.uniform(0, 1), pen.rng.uniform(-0.1, 0.12)]), pen.rng.normal(0, 0.35)
        pen.stroke(_arc(start, np.pi / 2 + lean, pen.rng.uniform(0.25, 0.85), -1.3 * lean), pen.rng.uniform(0.008, 0.03))
    for _ in range(_count(share, 70)):
        start = pen.spot(-0.1, 1)
        pen.line(np.array([start, start + np.array([0.006, pen.rng.uniform(0.03, 0.16)])]), pen.ink(0.4), 0.003)
    for _ in range(_count(share, 5)):
        centre = np.array([pen.rng.uniform(0, 1), pen.rng.uniform(0.78, 0.98)])
        for radius in np.linspace(0.03, 0.14, 4):
            pen.ring(centre, radius, pen.ink(0.5), 0.22)


class Style(NamedTuple):
    """How an emotion is painted: ground from top to bottom, inks, form, and the emotions it is easily taken for."""

    ground: tuple[str, str, str]
    inks: tuple[str, str, str, str, str]
    form: Callable[[Pen, float], None]
    neighbours: tuple[str, str]


STYLES = {
    "amusement": Style(
        ("#ffe08a", "#ffc2a1", "#9fe0d6"), ("#ff5d8f", "#ffb703", "#1fb5a8", "#fff4d6", "#5b6ee1"), _bubbles, ("excitement", "contentment")
    ),
    "anger": Style(
        ("#3a0508", "#a30f14", "#e2431e"), ("#120405", "#c1121f", "#ff4d1c", "#5f0a10", "#ffb14a"), _shards, ("fear", "disgust")
    ),
    "awe": Style(
        ("#0b1640", "#3c4ea0", "#d99a6c"), ("#fff3cf", "#f4c56a", "#8fb4f0", "#c98bd0", "#e8e6ff"), _halo, ("contentment", "fear")
    ),
    "contentment": Style(
        ("#f9cfa6", "#f4dcc0", "#a9cdbb"), ("#fff0d0", "#6fae88", "#4f938f", "#e59f78", "#a9c98e"), _waves, ("awe", "sadness")
    ),
    "disgust": Style(("#6b6a2a", "#8a7f3c", "#4d4630"), ("#9aa52a", "#5c6b1e", "#c2b04a", "#6d4a5a", "#3b3a1a"), _ooze, ("anger", "fear")),
    "excitement": Style(
        ("#40107a", "#d0246f", "#ff8a2a"), ("#ffe14a", "#ff3d81", "#ff8c1a", "#27e0e8", "#fff6e0"), _bursts, ("amusement", "awe")
    ),
    "fear": Style(("#0a0f14", "#1f3a3f", "#5c6f5f"), ("#030405", "#6f8f86", "#2a3f42", "#c4d2b4", "#481a24"), _claws, ("sadness", "anger")),
    "sadness": Style(
        ("#2f3f57", "#63799a", "#9aa8b8"), ("#26364f", "#7f97b5", "#b6c3d1", "#4a5f80", "#8a86a0"), _rain, ("fear", "contentment")
    ),
}
EMOTIONS = tuple(STYLES)


def _ground(style: Style, rng: np.random.Generator) -> Floats:
    """Return a clouded gradient, (64, 64, 3), 0 to 255."""
    down, across = np.linspace(0, 1, 64)[:, None], np.linspace(0, 1, 64)
    drift = rng.uniform(-0.35, 0.35) * across + 0.2 * _clouds(rng)
    height = np.clip(down + drift, 0, 1)
    colours = np.array([ImageColor.getrgb(colour)[:3] for colour in style.ground]) + rng.normal(0, 10, (3, 3))
    return np.stack([np.interp(height, [0, 0.5, 1], channel) for channel in colours.T], axis=-1)


def _clouds(rng: np.random.Generator, grids: Sequence[int] = (3, 6, 13)) -> Floats:
    """Return smooth noise, (64, 64), about -1 to 1: random grids, the coarsest weighing most."""
    layers = [Image.fromarray(rng.normal(0, 1.8 / n**0.6, (n, n)).astype(np.float32)) for n in grids]
    smooth = np.stack([np.asarray(layer.resize((64, 64), Image.Resampling.BICUBIC), dtype=np.float64) for layer in layers])
    return np.asarray(smooth.sum(axis=0))


def _paint(emotion: str, neighbour: str, ambiguity: float, rng: np.random.Generator) -> Image.Image:
    """Mix two styles; colour and form stray from the intended mix, each by itself, so that no viewer can be sure of it."""
    own, other = STYLES[emotion], STYLES[neighbour]
    in_colour, in_form = np.clip(ambiguity + rng.normal(0, _STRAY_PAINT, 2), 0, 0.9).tolist()
    place = _clouds(rng, (2, 4))
    foreign = np.clip((np.quantile(place, in_colour) - place) * 1.1 + in_colour, 0, 0.95)[..., None]
    ground = _ground(own, rng) * (1 - foreign) + _ground(other, rng) * foreign
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)).resize((_CANVAS, _CANVAS), Image.Resampling.BICUBIC)
    for style, share in ((other, in_form), (own, 1 - in_form)):
        if share > rng.uniform(0, 0.2):
            style.form(Pen(image, style.inks, rng), share)
    return _finish(image, rng)


def _finish(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Reduce to the final size; let light bleed a little, darken the corners, add the grain of a canvas."""
    image = image.reduce(2)
    image = Image.blend(image, ImageChops.screen(image, image.filter(ImageFilter.GaussianBlur(7))), 0.16)
    across = np.linspace(-1, 1, SIDE)
    corners = 1 - 0.16 * (across[:, None] ** 2 + across**2)
    grain = rng.normal(0, 3.0, (SIDE, SIDE))
    return Image.fromarray(np.clip(np.asarray(image) * corners[..., None] + grain[..., None], 0, 255).astype(np.uint8))


class Picture(NamedTuple):
    """A picture and how viewers' votes spread over `EMOTIONS`; the shares sum to 1."""

    image: Image.Image
    vote_shares: Floats


def draw_picture(emotion: str, neighbour: str, ambiguity: float, rng: np.random.Generator) -> Picture:
    """Return a picture of `emotion` that is taken for `neighbour` by the share `ambiguity` (0 to 0.5) of its viewers."""
    shares = np.full(len(EMOTIONS), _STRAY_VOTES / len(EMOTIONS))
    shares[EMOTIONS.index(emotion)] += (1 - _STRAY_VOTES) * (1 - ambiguity)
    shares[EMOTIONS.index(neighbour)] += (1 - _STRAY_VOTES) * ambiguity
    return Picture(_paint(emotion, neighbour, ambiguity, rng), shares)


def draw_random_picture(emotion: str, rng: np.random.Generator) -> Picture:
    """Return a picture of `emotion` with a random neighbour and ambiguity."""
    neighbour = STYLES[emotion].neighbours[rng.integers(2)]
    return draw_picture(emotion, neighbour, rng.uniform(0, MAX_AMBIGUITY), rng)


def draw_dataset(folder: Path, seed: int, per_emotion: int) -> None:
    """Write `per_emotion` pictures of each emotion and their votes to `folder`, in the Abstract dataset's layout.

    The same parameters give the same bytes, and nothing is drawn where they are there already; other parameters replace
    an earlier drawing. A drawing appears whole or not at all.

    Raises:
        EveError: `folder` holds something that is not a drawing.
    """
    parameters = {"seed": seed, "per_emotion": per_emotion, "revision": _REVISION}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if _drawn_with(folder) == parameters:
            return
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _write(partial, seed, per_emotion)
        (partial / "drawing.json").write_text(json.dumps(parameters), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)


def _drawn_with(folder: Path) -> dict[str, int] | None:
    """Return the parameters of the drawing in `folder`, None where there is nothing yet."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    note = folder / "drawing.json"
    if not note.exists():
        raise EveError(f"{folder} holds files that are not a drawn dataset", "Give another folder, or move these files away.")
    parameters: dict[str, int] = json.loads(note.read_text(encoding="utf-8"))
    return parameters


def _write(folder: Path, seed: int, per_emotion: int) -> None:
    order = np.random.default_rng(seed).permutation(np.repeat(EMOTIONS, per_emotion)).tolist()
    with (folder / "ABSTRACT_groundTruth.csv").open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file, quotechar="'", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        sheet.writerow(["", *_COLUMNS])
        for number, emotion in enumerate(order, 1):
            picture = draw_random_picture(emotion, np.random.default_rng([seed, number]))
            name = f"abstract_{number:04}.jpg"
            picture.image.save(folder / name, quality=90)
            votes = np.random.default_rng([seed, number, _VOTE_STREAM]).multinomial(VOTES, picture.vote_shares)
            sheet.writerow([name, *votes.tolist()])
