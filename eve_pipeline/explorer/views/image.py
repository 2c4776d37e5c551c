"""Image: one picture, how people voted, and every reply to it, unread and read."""

from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from eve_pipeline.explorer import links, pictures, published, scope
from eve_pipeline.explorer.showing import LONGEST, Column, long_text, nothing, plain, table
from eve_pipeline.report.image_picks import IMAGE_ANSWERS, IMAGE_REPLIES, WHOLE_REPLY

IMAGE = "select * from raw.images where dataset = $dataset and image_id = $image_id"
FACTS = ("label_status", "n_votes", "valence", "arousal", "split", "width", "height", "path", "sha256")
ANSWERS = [
    Column("model", "Model"),
    Column("prompt", "Prompt"),
    Column("subset", "Asked for", is_minor=True),
    Column("reading", "Answer"),
    Column("right", "Right"),
    Column("status", "Status", is_minor=True),
    Column("raw_label", "As written", is_minor=True),
]
ALL = "all"


def page() -> None:
    """Show the image that the address names."""
    dataset, image_id = st.query_params.get("dataset", ""), st.query_params.get("image", "")
    found = published.rows(IMAGE, dataset=dataset, image_id=image_id).to_dicts()
    if not found:
        st.title("Image")
        nothing("There is no such image.", "Choose one on the page Images.")
        links.page_link("images", "Images")
        return
    image = found[0]
    scope.title("Image", plain(f"{image_id} of {dataset}"))
    left, right = st.columns([2, 3], gap="large")
    with left:
        pictures.show(image, pictures.LARGE)
        show_votes(image)
    with right:
        show_answers(dataset, image_id, image["label"])
    show_replies(dataset, image_id)


def show_votes(image: dict[str, Any]) -> None:
    """Show what people felt, and what else is known of the picture."""
    st.subheader("What people felt")
    if image["votes"]:
        votes = pl.DataFrame(image["votes"]).sort("share", descending=True)
        table(
            votes, [Column("label", "Emotion"), Column("share", "Share of raters", "bar")], f"Votes of {image['n_votes'] or 'the'} raters."
        )
    else:
        st.text(plain(image["label"] or "no label"))
    with st.expander("More about the picture"):
        facts = [{"what": name.replace("_", " "), "value": plain(str(image[name]))} for name in FACTS if image[name] is not None]
        table(pl.DataFrame(facts), [Column("what", "What"), Column("value", "Value")], "As the dataset has it.")
        if image["attributes"]:
            long_text(image["attributes"], len(image["attributes"]), lambda: image["attributes"], "attributes")


def show_answers(dataset: str, image_id: str, truth: str | None) -> None:
    """Show what is read in the replies of each model and prompt."""
    st.subheader("What models answered")
    answers = published.rows(IMAGE_ANSWERS, dataset=dataset, image_id=image_id)
    if answers.is_empty():
        nothing("Nobody was asked about it.", "`eve run` asks.")
        return
    known = answers.filter(~pl.col("status").is_in(["error", "missing"]))
    right = pl.when(pl.lit(truth).is_null()).then(None).when(pl.col("label") == truth).then(pl.lit("yes")).otherwise(pl.lit("no"))
    n_right = known.filter(pl.col("label") == truth).height if truth else 0
    st.text(plain(f"Truth: {truth or 'none'}. {n_right} of {known.height} answers are right." if truth else f"{known.height} answers."))
    shown = answers.with_columns(right.alias("right"), *(pl.col(name).map_elements(_short, pl.String) for name in ("reading", "raw_label")))
    table(shown, ANSWERS, "Every current answer.", mark=None)


def _short(text: str) -> str:
    return pictures.short(text)


def show_replies(dataset: str, image_id: str) -> None:
    """Show the raw replies of one model and prompt, or of all."""
    st.subheader("Replies, word for word")
    answers = published.rows(IMAGE_ANSWERS, dataset=dataset, image_id=image_id)
    if answers.is_empty():
        return
    with st.container(horizontal=True):
        model = links.choose("Model", [ALL, *answers["model"].unique().sort()], "by")
        prompt = links.choose("Prompt", [ALL, *answers["prompt"].unique().sort()], "asked", scope.PLAIN_PROMPT)
    chosen = {name: None if value == ALL else value for name, value in (("model", model), ("prompt", prompt))}
    replies = published.rows(IMAGE_REPLIES, dataset=dataset, image_id=image_id, **chosen, longest=LONGEST)
    st.text(f"{replies.height} replies.")
    for number, reply in enumerate(replies.iter_rows(named=True)):
        with st.container(border=True):
            st.text(plain(f"{reply['model']} · {reply['prompt']} · {reply['status']} · read as {pictures.short(reply['reading'])}"))
            whole = partial(published.value, WHOLE_REPLY, request_key=reply["request_key"])
            long_text(reply["beginning"] or "", reply["n_characters"] or 0, whole, f"reply-{number}")
            cost = "" if reply["cost_usd"] is None else f" · {reply['cost_usd']:.5f} USD"
            when = "no response" if reply["created_at"] is None else f"{reply['created_at']:%Y-%m-%d %H:%M} UTC"
            st.caption(f"{when} · {reply['completion_tokens'] or '-'} tokens{cost}")


if __name__ == "__main__":
    page()
