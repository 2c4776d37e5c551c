"""How the report's figures look, and how they become pictures in a page."""

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import altair as alt

INK, FAINT, GRID, PAPER = "#1f2328", "#6e7781", "#e4e7eb", "#ffffff"
BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, BLACK = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"
SERIES: Final = [BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, BLACK]
"""Okabe and Ito's colours, told apart by everybody; never the only mark of a difference."""

SHAPES: Final = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]
DASHES: Final = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]]
FONT: Final = "Helvetica, Arial, sans-serif"
ROOM: Final = {"left": 24, "right": 16, "top": 5, "bottom": 5}
"""Pixels around a chart: where a reader's machine has none of these fonts, words are up to a fifth longer than they were measured."""

_AXIS: Final[dict[str, Any]] = {
    "labelColor": INK,
    "titleColor": FAINT,
    "titleFontWeight": "normal",
    "titleFontSize": 11,
    "labelFontSize": 11,
    "domainColor": GRID,
    "tickColor": GRID,
    "gridColor": GRID,
    "labelLimit": 190,
    "labelFont": FONT,
    "titleFont": FONT,
}


def series_look(number: int) -> tuple[str, str, list[int]]:
    """Return colour, shape and dashes of a series; from the eighth on colours come again, with other shapes and dashes."""
    turn, place = divmod(number, len(SERIES))
    return SERIES[place], SHAPES[(place + turn) % len(SHAPES)], DASHES[turn % len(DASHES)]


def svg(chart: "alt.TopLevelMixin") -> str:
    """Return a chart as the data URL of an SVG: sharp in print, small, and without any script."""
    import vl_convert

    specification = chart.to_dict() | {"config": _config()}
    picture = vl_convert.vegalite_to_svg(specification)
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()


def png(chart: "alt.TopLevelMixin") -> bytes:
    """Return a chart as a PNG at twice its size, of 64 colours: a third of the bytes."""
    import vl_convert
    from PIL import Image

    drawn = vl_convert.vegalite_to_png(chart.to_dict() | {"config": _config()}, scale=2)
    picture = BytesIO()
    Image.open(BytesIO(drawn)).convert("RGB").quantize(64).save(picture, "PNG", optimize=True)
    return picture.getvalue()


def _config() -> dict[str, Any]:
    legend = {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "titleColor": FAINT, "titleFontWeight": "normal", "labelLimit": 220}
    return {
        "background": PAPER,
        "font": FONT,
        "padding": ROOM,
        "view": {"stroke": None},
        "axis": _AXIS,
        "legend": legend | {"orient": "bottom", "columns": 2, "labelFontSize": 11, "symbolSize": 70},
        "header": {"labelFont": FONT, "labelColor": INK, "labelFontSize": 11, "title": None},
        "title": {"font": FONT, "color": INK, "fontSize": 12, "fontWeight": "bold", "anchor": "start"},
        "range": {"category": SERIES, "symbol": SHAPES},
    }
