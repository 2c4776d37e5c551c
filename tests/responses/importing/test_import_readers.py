"""Each kind of file, as its tool writes it; the logs of inspect_ai were written by inspect_ai 0.3.285."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.errors import EveError
from eve_pipeline.responses.importing.reading import read_rows
from eve_pipeline.responses.importing.rows import NO_RESPONSE, Columns

LOGS = Path(__file__).parent / "inspect_logs"


ANY = Columns()


def read(file: Path, *names: str, columns: Columns = ANY) -> list[tuple[object, ...]]:
    return read_rows(file, columns).select(names).rows()


def lmms_sample(number: int, **fields: object) -> dict[str, object]:
    """A record as lmms-eval's evaluator writes it with --log_samples."""
    return {
        "doc_id": number,
        "doc": {"question_id": f"q{number}", "file_name": f"awe/{number}.jpg", "answer": "awe"},
        "target": "awe",
        "arguments": ["Which emotion?", {"max_new_tokens": 16, "until": ["\n\n"]}],
        "resps": [['{"prediction": "awe"} ']],
        "filtered_resps": ['{"prediction": "awe"}'],
        "doc_hash": "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
        "exact_match": 1.0,
    } | fields


@pytest.mark.parametrize("name", ["emotions.eval", "emotions.json"])
def test_inspect_ai(name: str):
    fields = ("number", "image", "text", "delivery", "error", "finish_reason", "prompt_tokens", "completion_tokens", "served_model")
    model, failed = "mockllm/model", "RuntimeError('the server was gone')"
    assert sorted(read(LOGS / name, *fields)) == [
        (1, "awe/0.jpg", '{"prediction": "awe"}', "received", None, "stop", 10, 3, model),
        (2, "awe/1.jpg", '{"prediction": "fear"}', "received", None, "length", 10, 3, model),
        (3, "third", None, "error", failed, None, None, None, model),
        (4, "awe/0.jpg", '{"prediction": ""}', "content_filter", None, "content_filter", 10, 3, model),
        (5, "awe/1.jpg", '{"prediction": "sadness"}', "received", None, "stop", 10, 3, model),
        (6, "third", None, "error", failed, None, None, None, model),
    ]
    assert read(LOGS / name, "image", "text", columns=Columns(image="id", response="output.model"))[0] == ("first", model)


def test_numbers_that_inspect_ai_gave_to_samples_name_no_image(tmp_path: Path):
    log = json.loads((LOGS / "emotions.json").read_text())
    for number, sample in enumerate(log["samples"], 1):
        sample |= {"id": number, "metadata": {}}
    file = tmp_path / "log.json"
    file.write_text(json.dumps(log))
    assert set(read(file, "image")) == {(None,)}
    assert read(file, "image", columns=Columns(image="id"))[0] == ("1",)


def test_lmms_eval(tmp_path: Path):
    file = tmp_path / "20261124_samples_emotions.jsonl"
    records = [
        lmms_sample(0),
        lmms_sample(1, resps=[["awe", "fear"]], filtered_resps=["awe"]),
        lmms_sample(2, resps=[[""]], filtered_resps=[""]),
        lmms_sample(3, resps=[], filtered_resps=["anger"]),
    ]
    file.write_text("\n".join(map(json.dumps, records)) + "\n{torn")
    assert read(file, "number", "image", "text", "delivery", "error")[:5] == [
        (1, "awe/0.jpg", '{"prediction": "awe"} ', "received", None),
        (2, "awe/1.jpg", "awe", "received", None),
        (2, "awe/1.jpg", "fear", "received", None),
        (3, "awe/2.jpg", None, "error", NO_RESPONSE),
        (4, "awe/3.jpg", "anger", "received", None),
    ]
    assert read(file, "number", "problem")[5][0] == 5
    assert read(file, "problem")[5][0].startswith("damaged JSON")
    assert read(file, "image", "text", columns=Columns(image="doc.question_id", response="filtered_resps"))[0] == (
        "q0", '["{\\"prediction\\": \\"awe\\"}"]',
    )  # fmt: skip
    file.write_text(json.dumps(lmms_sample(7, doc={"question": "?"})))
    with pytest.raises(EveError, match=r"no column image or image_id; found: 'arguments'.*'doc.question', 'doc_hash', 'doc_id'"):
        read(file, "image")
    assert read(file, "image", columns=Columns(image="doc_id")) == [("7",)]


def test_lmms_eval_0_7(tmp_path: Path):
    """It leaves out the document, the arguments, and replies that no filter changed."""
    file = tmp_path / "20261124_samples_photographs.jsonl"
    record = {
        "doc_id": 0,
        "target": "awe",
        "filtered_resps": '{"prediction": "contentment"}',
        "token_counts": [{"input_tokens": 300, "output_tokens": 8, "reasoning_tokens": 0}],
        "doc_hash": "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
        "input_media": ["/photographs/acorns_1.jpg"],
        "answered": 1.0,
        "input": "Which? prediction",
    }
    file.write_text(json.dumps(record) + "\n" + json.dumps(record | {"doc_id": 1, "resps": "so: awe", "token_counts": [None]}))
    assert read(file, "image", "text", "prompt_tokens", "completion_tokens") == [
        ("/photographs/acorns_1.jpg", '{"prediction": "contentment"}', 300, 8),
        ("/photographs/acorns_1.jpg", "so: awe", None, None),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_of_any_delimiter(tmp_path: Path, delimiter: str, newline: str):
    file = tmp_path / "theirs.txt"
    lines = [["Image", "truth", "Prediction"], ["a.jpg", "fear", "awe"], ["b.jpg", "fear", ""], ["c.jpg"], [""], ["", "fear", "awe"]]
    file.write_bytes(("\ufeff" + newline.join(delimiter.join(line) for line in lines)).encode())
    assert read(file, "number", "image", "label", "delivery", "problem") == [
        (2, "a.jpg", "awe", "received", None),
        (3, "b.jpg", None, "error", None),
        (4, None, None, "received", "1 cells, the header has 3"),
        (6, None, "awe", "received", None),
    ]


def test_a_response_is_taken_before_a_label_and_named_columns_before_all(tmp_path: Path):
    file = tmp_path / "theirs.csv"
    file.write_text("path,label,output,mine\na.jpg,fear,I see awe,anger\n")
    assert read(file, "image", "text", "label") == [("a.jpg", "I see awe", None)]
    assert read(file, "image", "text", "label", columns=Columns(label="LABEL")) == [("a.jpg", None, "fear")]
    assert read(file, "image", "text", "label", columns=Columns(image="mine", response="path")) == [("anger", "a.jpg", None)]


def test_records_with_values_of_any_type(tmp_path: Path):
    file = tmp_path / "theirs.jsonl"
    file.write_text(
        '{"image_id": 7, "meta": {"said": {"prediction": "awe"}}}\n\n'
        '{"image_id": "8", "meta": {"said": NaN}}\n'
        '{"image_id": "9", "meta": null}\n'
        '{"image_id": "10", "meta": {"said": "\\ud83d"}}\n'
        "[1]\n"
    )
    assert read(file, "number", "image", "text", "delivery", "problem", columns=Columns(response="meta.said")) == [
        (1, "7", '{"prediction": "awe"}', "received", None),
        (3, "8", None, "error", None),
        (4, "9", None, "error", None),
        (5, "10", "?", "received", None),
        (6, None, None, "received", "not a JSON object"),
    ]


def test_a_list_of_records(tmp_path: Path):
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps([{"image": "a.jpg", "text": "awe"}, 3, {"image": "b.jpg", "text": "fear"}], indent=1))
    assert read(file, "number", "image", "text", "problem") == [
        (1, "a.jpg", "awe", None), (2, None, None, "not a JSON object"), (3, "b.jpg", "fear", None),
    ]  # fmt: skip


def test_an_eval_log_that_is_cut_off_is_told(tmp_path: Path):
    file = tmp_path / "cut.eval"
    file.write_bytes((LOGS / "emotions.eval").read_bytes()[:-200])
    with pytest.raises(EveError, match=r"no readable \.eval log"):
        read_rows(file, Columns())


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@given(st.lists(st.tuples(texts, texts), max_size=10))
def test_what_csv_writes_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]):
    file = tmp_path_factory.mktemp("csv") / "theirs.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("image", "response"), *rows])
    expected = [(image.strip() or None, text if text.strip() else None) for image, text in rows]
    assert read(file, "image", "text") == expected
