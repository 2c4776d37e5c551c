"""Annotate: which of two words describes better what this image evokes in you?"""

import re
import time
from collections.abc import Callable
from typing import Any, cast

import streamlit as st

from eve_pipeline.annotation.answers import LONGEST_COMMENT, Answer, Choice, record, undo
from eve_pipeline.annotation.studies import check_key, read_annotations, sheet, studies
from eve_pipeline.errors import EveError
from eve_pipeline.explorer import access, pictures, published
from eve_pipeline.explorer.showing import nothing, plain
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

SIDE = 1400
IMAGE = "select path, sha256 from raw.images where dataset = $dataset and image_id = $image_id"
OTHERS = {"both": "b", "neither": "n", "unsure": "u"}
MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!:$<>~|&\"'^=@/])")
"""What Streamlit reads as Markdown in the label of a button."""


def page() -> None:
    """Show the next question of the one who annotates, or ask who that is."""
    who = annotator()
    if who is None:
        return
    study, name = who
    seen = sheet(study, name, Warehouse.of(Settings()))
    n_answered = seen["choice"].count()
    st.progress(n_answered / seen.height, text=f"{n_answered} of {seen.height} answered · {study} · {name}")
    if problem := st.session_state.pop("annotation_problem", None):
        st.warning(escaped(problem))
    is_open = seen["choice"].is_null()
    if is_open.any():
        ask(study, name, seen.filter(is_open).row(0, named=True))
    else:
        st.title("That was the last one")
        st.text("Every answer is stored. Thank you; you can close this page.")
        offer_undo(study, name)


def annotator() -> tuple[str, str] | None:
    """Return study and name of the one who annotates: whom the token belongs to or, where no token is needed, whoever says so."""
    settings = Settings()
    if invited := access.invited(settings):
        return invited
    if settings.app_token is not None:
        st.title("Annotate")
        nothing("You need an invitation to annotate here.", "Who runs the study makes one: eve annotate invite STUDY NAME.")
        return None
    study, name = st.query_params.get("study", ""), st.query_params.get("annotator", "")
    if study and name:
        return study, name
    introduce()
    return None


def introduce() -> None:
    """Ask for study and name, and put them in the address: who opens it again goes on where they were."""
    st.title("Annotate")
    known = studies(Warehouse.of(Settings()))
    if not known:
        nothing("There is no study yet.", "Draw one from the models' errors: eve annotate sample")
        return
    st.text("You will see images and two words for each. Choose the one that describes better what the image evokes in you.")
    with st.form("introduction", width=480):
        study = st.selectbox("Study", known)
        name = st.text_input("Your name", help="Lower-case letters, digits, - and _. With the same name you go on where you were.")
        is_sent = st.form_submit_button("Start", type="primary")
    if is_sent and name:
        st.session_state["claimed"] = study, name.strip().lower()
    if claimed := st.session_state.get("claimed"):
        identify(*claimed)


def identify(study: str, name: str) -> None:
    """Go on to the questions; a name that somebody has answered under is asked about first, for two may have chosen the same."""
    try:
        n_answered = read_annotations(study, Warehouse.of(Settings()), check_key(name, "an annotator")).height
    except EveError as error:
        st.warning(escaped(f"{error.problem}. {error.hint}"))
        return
    if n_answered:
        st.text(f"{name} has answered {n_answered} questions already. If that was not you, choose another name.")
    if not n_answered or st.button(f"Go on as {escaped(name)}"):
        del st.session_state["claimed"]
        st.query_params.from_dict({"study": study, "annotator": name})
        st.rerun()


def offer_undo(study: str, name: str) -> None:
    """Show the button that takes the last answer back."""
    answered = read_annotations(study, Warehouse.of(Settings()), name)["task"]
    if not answered.is_empty():
        # The step is in the key, so that what arrives late is not taken for a later button of the same answer.
        st.button(
            "Take the last answer back",
            key=f"undo-{step()}",
            shortcut="z",
            type="tertiary",
            on_click=once,
            args=(step(), take_back, study, name, answered[-1]),
        )


def ask(study: str, name: str, question: dict[str, Any]) -> None:
    """Show one question: the image large, and the two words with their keys."""
    task = question["task"]
    st.session_state.setdefault(f"seen-{task}", time.monotonic())
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(key="annotated-image"):
        show_image(question["dataset"], question["image_id"])
    with right, st.container(key="choices"):
        st.subheader("Which word describes better what this image evokes in you?", anchor=False)
        words = (question["first"], question["second"])
        for key, (choice, label) in enumerate(zip(("first", "second"), words, strict=True), 1):
            _button(escaped(label), choice, str(key), (study, name, task, words))
        with st.container(horizontal=True):
            for choice, key_name in OTHERS.items():
                _button(choice.capitalize(), choice, key_name, (study, name, task, words))
        with st.expander("How sure are you? Anything to remark? (optional)"):
            st.segmented_control("From 1, a guess, to 5, certain", range(1, 6), key=f"confidence-{task}")
            st.text_area("Remark", key=f"comment-{task}", max_chars=LONGEST_COMMENT, help="Ctrl+Enter keeps it; then choose above.")
        offer_undo(study, name)


def _button(label: str, choice: str, shortcut: str, asked: tuple[str, str, str, tuple[str, str]]) -> None:
    is_word = choice in {"first", "second"}
    # The task is in the key, so that a key pressed twice cannot answer the next question unseen.
    st.button(
        label, key=f"{choice}-{asked[2]}", shortcut=shortcut, on_click=once, args=(step(), answer, *asked, choice),
        width="stretch" if is_word else "content", type="primary" if is_word else "secondary",
    )  # fmt: skip


def show_image(dataset: str, image_id: str) -> None:
    """Show the picture without its name, which may tell the label."""
    found = published.rows(IMAGE, dataset=dataset, image_id=image_id).to_dicts()
    picture = pictures.thumbnail(dataset, found[0]["path"], found[0]["sha256"], SIDE) if found else "The image is not there any more."
    if isinstance(picture, bytes):
        st.image(picture, width="stretch", alt="The image in question")
    else:
        nothing(picture, "Choose unsure, and tell whoever runs the study.")


def step() -> int:
    """Return how often this visitor has answered or taken back."""
    return cast("int", st.session_state.setdefault("annotation_step", 0))


def once(at_step: int, act: Callable[..., None], *given: object) -> None:
    """Do what a button stands for; a key that arrives twice, or from a page that was replaced meanwhile, does nothing.

    Streamlit may end this at any use of its state, when another key arrives: what is stored is safe from being done twice by itself.
    Why something could not be stored is told on the next page: what a button calls has no page to show it on.
    """
    state = st.session_state
    if at_step != step():
        return
    try:
        act(*given)
        state["annotation_step"] += 1
    except EveError as error:
        state["annotation_problem"] = f"{error.problem}. {error.hint}"
    except OSError as error:
        state["annotation_problem"] = f"The answer could not be stored: {error.strerror}. Tell whoever runs the study."


def answer(study: str, name: str, task: str, shown: tuple[str, str], choice: Choice) -> None:
    """Store an answer before anything else happens."""
    state = st.session_state
    seen_at = state.pop(f"seen-{task}", None)
    given = Answer(
        task=task,
        shown_order=shown,
        choice=choice,
        confidence=cast("int | None", state.get(f"confidence-{task}")),
        comment=storable(state.get(f"comment-{task}")),
        duration_s=None if seen_at is None else time.monotonic() - seen_at,
    )
    record(study, name, [given], "app", Warehouse.of(Settings()))


def take_back(study: str, name: str, task: str) -> None:
    """Take the last answer back, if it still is the last; its question is asked again."""
    st.session_state.pop(f"seen-{task}", None)
    undo(study, name, task, Warehouse.of(Settings()))


def storable(text: str | None) -> str | None:
    """Return text that can be written as UTF-8; None where nothing is said."""
    return (text or "").encode(errors="replace").decode()[:LONGEST_COMMENT] or None


def escaped(label: str) -> str:
    """Return a label that a button shows letter by letter."""
    return MARKUP.sub(r"\\\1", plain(label))


if __name__ == "__main__":
    page()
