"""Images as small pictures, made when they are looked at; where a file is meant, it is one that the table of images names."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st
from PIL import Image

from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.explorer import links
from eve_pipeline.explorer.showing import plain
from eve_pipeline.pictures import image_file, to_rgb
from eve_pipeline.report.gallery import draw
from eve_pipeline.settings import Settings

A_PAGE, SIDE, LARGE, ON_A_SHEET = 24, 240, 900, 60
LONGEST_CAPTION = 90


def grid(ask: Callable[[int, int], pl.DataFrame], n: int, title: str, key: str = "page") -> None:
    """Show a page of images, each with its truth, what was said of it and the way to all of its replies.

    Args:
        ask: returns rows as `image_picks` describes them, by limit and offset.
        n: how many there are in all.
        title: what they are, which stands above their contact sheet.
        key: name of the page's number in the address.
    """
    pages = max(1, -(-n // A_PAGE))
    number = st.pagination(pages, key=key, bind="query-params") if pages > 1 else 1
    images = ask(A_PAGE, (number - 1) * A_PAGE)
    with st.container(key=f"grid-{key}"):
        for place, image in enumerate(images.iter_rows(named=True)):
            with st.container(gap=None, border=True, key=f"card-{key}-{place}"):
                _card(image, f"{key}-{place}")
    st.download_button(
        f"Contact sheet of {'the first ' if n > ON_A_SHEET else 'these '}{min(n, ON_A_SHEET)} (JPEG)",
        lambda: draw(ask(ON_A_SHEET, 0), title, Settings()), "contact_sheet.jpg", "image/jpeg", key=f"sheet-{key}", on_click="ignore",
    )  # fmt: skip


def _card(image: dict[str, Any], key: str) -> None:
    show(image)
    said = ", ".join(image["said"] or [])
    st.text(short(f"{image['label'] or 'no label'} → {said or 'not asked'}"))
    if st.button("All replies", key=key, type="tertiary"):
        links.open_page("image", dataset=image["dataset"], image=image["image_id"])


def show(image: dict[str, Any], side: int = SIDE) -> None:
    """Show a picture, or in words why there is none."""
    found = thumbnail(image["dataset"], image["path"], image["sha256"], side)
    label = image["label"] or "no label"
    if isinstance(found, bytes):
        st.image(found, width="stretch", alt=short(f"{image['image_id']}, {label}"))
    else:
        st.text(found)


def thumbnail(dataset: str, path: str, sha256: str, side: int) -> bytes | str:
    """Return a JPEG of at most `side` pixels each way, or in words why there is none."""
    try:
        file = image_file(dataset_entry(dataset, Settings()).root(Settings()), path)
    except EveError:
        return "The dataset is not known any more."
    return _thumbnail(str(file), sha256, side) if file else "The path leads out of the dataset's folder."


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(file: str, sha256: str, side: int) -> bytes | str:  # noqa: ARG001 - the hash is for the cache
    try:
        with Image.open(Path(file)) as image:
            image.draft("RGB", (2 * side, 2 * side))
            picture = to_rgb(image)
            picture.thumbnail((side, side))
    except FileNotFoundError:
        return "The file is missing."
    except Exception:  # noqa: BLE001 - a damaged file raises anything
        return "The file cannot be read."
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def short(text: str) -> str:
    """Return the beginning of a text on one line, its control characters visible."""
    line = plain(" ".join(text[: 4 * LONGEST_CAPTION].split()))
    return line if len(line) <= LONGEST_CAPTION else f"{line[: LONGEST_CAPTION - 1]}…"
