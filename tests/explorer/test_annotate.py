"""Annotating in a real browser: by keyboard, through a killed server, by two people, with and without an invitation."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from eve_pipeline.annotation.answers import record
from eve_pipeline.annotation.invitations import invite
from eve_pipeline.annotation.sampling import Wanted
from eve_pipeline.annotation.studies import make_study, read_annotations, read_tasks, sheet, study_lock
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from tests.annotation.conftest import answer
from tests.explorer.conftest import APP, SETTLED, serving

KEYS = {"1": "first", "2": "second", "b": "both", "n": "neither", "u": "unsure"}
READERS = "token-of-all-readers"
HOSTILE = "<img src=x onerror=alert(1)>'; drop table x; --\u202e **bold** 1 2 b n u"
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def warehouse(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A copy of the demo's tables and results, with a study of twelve errors."""
    made = Warehouse(tmp_path_factory.mktemp("annotate") / "home")
    shutil.copytree(demo_home / "warehouse", made.home / "warehouse")
    (made.home / "datasets").symlink_to(demo_home / "datasets")
    folder = made.publications / (demo_home / "eve.duckdb").resolve().parent.name
    shutil.copytree((demo_home / "eve.duckdb").resolve().parent, folder)
    made.database.symlink_to(folder / "eve.duckdb")
    make_study("twelve", Wanted(n=10, controls=0.2), made)
    return made


@pytest.fixture
def opened(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """A function that runs the page as a script with parameters in its address."""
    monkeypatch.setenv("EVE_HOME", str(warehouse.home))

    def open_page(**parameters: str) -> AppTest:
        shown = AppTest.from_file(APP, default_timeout=120).run()
        shown.switch_page("views/annotate.py")
        shown.query_params.update(parameters)
        return shown.run()

    return open_page


@pytest.fixture
def by_ada(warehouse: Warehouse) -> str:
    """A study that one has answered whole."""
    make_study("agreed", Wanted(n=10, controls=0.2), warehouse)
    tasks = sheet("agreed", "ada", warehouse)["task"]
    record("agreed", "ada", [answer(warehouse, "agreed", task) for task in tasks], "app", warehouse)
    return "agreed"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh visitor; a dialog fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    dialogs: list[str] = []
    made = context.new_page()
    made.on("dialog", lambda dialog: dialogs.append(dialog.message))
    yield made
    context.close()
    assert dialogs == []


def press(page: Page, keys: str, n_before: int, n_tasks: int = 12) -> None:
    """Answer by keyboard, each time after the answer before was stored."""
    expect(page.get_by_role("button", name="Unsure")).to_be_visible()
    for number, key in enumerate(keys, n_before + 1):
        page.wait_for_selector(SETTLED, timeout=60_000)
        page.keyboard.press(key)
        expect(page.get_by_text(f"{number} of {n_tasks} answered")).to_be_visible()


def test_ten_are_answered_by_keyboard_the_server_is_killed_and_it_goes_on_at_the_eleventh(page: Page, warehouse: Warehouse) -> None:
    address = "annotate?study=twelve&annotator=ada"
    server = serving(warehouse.home)
    with server as url:
        page.goto(f"{url}/{address}")
        expect(page.get_by_text("0 of 12 answered")).to_be_visible()
        press(page, "12bnu12bnu", 0)
        server.process.kill()
        server.process.wait()
    stored = read_annotations("twelve", warehouse, "ada")
    seen = sheet("twelve", "ada", warehouse)
    assert stored["task"].to_list() == seen["task"].to_list()[:10]
    assert stored["choice"].to_list() == [KEYS[key] for key in "12bnu12bnu"]
    assert stored["duration_s"].min() > 0
    with serving(warehouse.home) as url:
        page.goto(f"{url}/{address}")
        expect(page.get_by_text("10 of 12 answered")).to_be_visible()
        eleventh = seen.row(10, named=True)
        for label in (eleventh["first"], eleventh["second"]):
            expect(page.get_by_role("button", name=label)).to_be_visible()
        press(page, "1", 10)
        page.wait_for_selector(SETTLED, timeout=60_000)
        page.keyboard.press("z")
        expect(page.get_by_text("10 of 12 answered")).to_be_visible()
        press(page, "2u", 10)
        expect(page.get_by_text("That was the last one")).to_be_visible()
    last = read_annotations("twelve", warehouse, "ada").tail(2)
    assert last.select("task", "choice").rows() == [(seen["task"][10], "second"), (seen["task"][11], "unsure")]


def test_a_key_that_is_pressed_again_while_the_disk_is_slow_takes_back_one_answer(page: Page, warehouse: Warehouse) -> None:
    make_study("slow", Wanted(n=10, controls=0.2), warehouse)
    with serving(warehouse.home) as url:
        page.goto(f"{url}/annotate?study=slow&annotator=ada")
        press(page, "12b", 0)
        page.wait_for_selector(SETTLED, timeout=60_000)
        with study_lock("slow", warehouse):
            for _ in range(3):
                page.keyboard.press("z")
                page.wait_for_timeout(300)
        expect(page.get_by_text("2 of 12 answered")).to_be_visible()
        page.wait_for_selector(SETTLED, timeout=60_000)
        page.wait_for_timeout(1000)
    assert read_annotations("slow", warehouse, "ada")["task"].to_list() == sheet("slow", "ada", warehouse)["task"].to_list()[:2]


def test_a_second_annotator_remarks_and_both_agree_in_the_next_publication(page: Page, warehouse: Warehouse, by_ada: str) -> None:
    """Typing a remark answers nothing; what it holds is shown as text."""
    is_control = dict(read_tasks(by_ada, warehouse).select("task", "is_control").iter_rows())
    n_before = [is_control[task] for task in sheet(by_ada, "bo", warehouse)["task"]].index(False)  # remarks about errors are shown
    with serving(warehouse.home) as url:
        page.goto(f"{url}/annotate")
        page.get_by_role("combobox", name="Study").click()
        page.get_by_role("option", name=by_ada, exact=True).click()
        page.get_by_role("textbox", name="Your name").fill("Bo")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text(f"0 of 12 answered · {by_ada} · bo")).to_be_visible()
        press(page, "u" * n_before, 0)
        page.wait_for_selector(SETTLED, timeout=60_000)  # until then the box is the one of the question before
        page.get_by_text("How sure are you?").click()
        page.get_by_role("radio", name="4").or_(page.get_by_role("button", name="4", exact=True)).first.click()
        page.wait_for_selector(SETTLED, timeout=60_000)
        page.get_by_role("textbox", name="Remark").press_sequentially(HOSTILE)
        page.get_by_role("textbox", name="Remark").press("Control+Enter")
        page.get_by_text("Which word describes better").click()
        assert read_annotations(by_ada, warehouse, "bo").height == n_before
        press(page, "12bnu12bnu12"[n_before:], n_before)
        remarked = read_annotations(by_ada, warehouse, "bo").row(n_before, named=True)
        assert (remarked["comment"], remarked["confidence"]) == (HOSTILE, 4)
        with duckdb.connect(publish(warehouse, Settings(home=warehouse.home)), read_only=True) as connection:
            agreement = connection.sql(
                "select study, n_annotators, n_tasks from marts.human_agreement where measure = 'verdict'"
            ).fetchall()
            assert (by_ada, 2, 10) in agreement
        page.goto(f"{url}/human_evaluation?study={by_ada}")
        expect(page.get_by_text("Do people agree with each other?")).to_be_visible()
        expect(page.get_by_role("rowheader", name="the choice")).to_be_visible()
        remark = page.get_by_role("rowheader", name="drop table")
        expect(remark).to_have_count(1)
        assert remark.inner_text() == HOSTILE.replace("\u202e", "\ufffd")


def test_elsewhere_an_invitation_opens_its_study_and_nothing_else(page: Page, warehouse: Warehouse) -> None:
    make_study("other", Wanted(n=3, controls=0), warehouse)
    token = invite("other", "cy", warehouse)
    with serving(warehouse.home, "--address", "0.0.0.0", EVE_APP_TOKEN=READERS) as url:  # noqa: S104 - what is tested
        page.goto(f"{url}/annotate?study=twelve&annotator=ada")
        expect(page.get_by_role("textbox", name="Token")).to_be_visible()
        page.goto(f"{url}/?token={token}x")
        expect(page.get_by_role("textbox", name="Token")).to_be_visible()
        expect(page.get_by_text("To annotate, open the link you were sent again")).to_be_visible()
        for path in ("", "annotate"):
            page.goto(f"{url}/{path}?token={token}")
            expect(page.get_by_text("0 of 3 answered · other · cy")).to_be_visible()
            page.wait_for_selector(SETTLED, timeout=60_000)
            expect(page.get_by_role("dialog")).to_have_count(0)
        page.goto(f"{url}/leaderboard?token={token}&study=twelve&annotator=ada")
        expect(page.get_by_text("0 of 3 answered · other · cy")).to_be_visible()
        page.wait_for_selector(SETTLED, timeout=60_000)
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_text("Leaderboard")).to_have_count(0)
        assert token not in page.url
        press(page, "b", 0, n_tasks=3)
        page.goto(f"{url}/annotate?token={READERS}&study=twelve&annotator=ada")
        expect(page.get_by_text("You need an invitation to annotate here.")).to_be_visible()
    assert read_annotations("other", warehouse, "cy").height == 1


def test_an_answer_to_a_question_that_was_drawn_anew_is_not_stored(opened: Callable[..., AppTest], warehouse: Warehouse) -> None:
    make_study("redrawn", Wanted(n=1, controls=0), warehouse)
    task, first, second = sheet("redrawn", "ada", warehouse).select("task", "first", "second").row(0)
    page = opened(study="redrawn", annotator="ada")
    while sheet("redrawn", "ada", warehouse).row(0, named=True)["first"] == first:
        make_study("redrawn", Wanted(n=1, controls=0), warehouse)
    page.button(key=f"first-{task}").click().run()
    assert "drawn anew" in page.warning[0].value
    assert read_annotations("redrawn", warehouse, "ada").is_empty()
    page.button(key=f"first-{task}").click().run()
    assert read_annotations("redrawn", warehouse, "ada")["shown_order"].to_list() == [[second, first]]
    lock = warehouse.lock("annotation_tasks", "redrawn")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    page.button(key="undo-1").click().run()
    assert not page.exception
    assert "could not be stored" in page.warning[0].value
    lock.rmdir()


@pytest.mark.parametrize("name", ["李雷", "Álvaro", "Anna B."])
def test_a_name_that_is_none_is_told_and_not_changed(opened: Callable[..., AppTest], name: str) -> None:
    page = opened()
    page.text_input[0].input(name)
    page.button[0].click().run()
    assert "is no name of an annotator" in page.warning[0].value.replace("\\", "")
    assert "annotator" not in page.query_params


def test_a_name_that_has_answers_is_asked_about(opened: Callable[..., AppTest], warehouse: Warehouse) -> None:
    make_study("claimed", Wanted(n=2, controls=0), warehouse)
    tasks = sheet("claimed", "anna-b", warehouse)["task"]
    record("claimed", "anna-b", [answer(warehouse, "claimed", tasks[0], "anna-b")], "app", warehouse)
    page = opened()
    page.selectbox[0].select("claimed")
    page.text_input[0].input(" Anna-B")
    page.button[0].click().run()
    assert "anna-b has answered 1 questions already" in page.text[-1].value
    page.button[-1].click().run()
    assert page.query_params["annotator"] == "anna-b"
    assert page.button(key=f"first-{tasks[1]}")


def test_what_arrives_late_or_twice_counts_once(opened: Callable[..., AppTest], warehouse: Warehouse) -> None:
    """A browser may send a key of a page that was replaced meanwhile, and send it again."""
    make_study("twice", Wanted(n=3, controls=0), warehouse)
    tasks = sheet("twice", "ada", warehouse)["task"]
    page = opened(study="twice", annotator="ada")
    for task in tasks[:2]:
        page.button(key=f"first-{task}").click().run()

    def sent_again() -> None:
        import streamlit as st

        from eve_pipeline.explorer.views.annotate import answer, once, take_back

        before, last = st.session_state["tasks"]
        once(1, take_back, "twice", "ada", before)  # late: the page has gone on
        once(2, take_back, "twice", "ada", last)
        once(2, take_back, "twice", "ada", last)
        st.session_state["annotation_step"] = 2  # as if Streamlit had ended the first one before it was counted
        once(2, take_back, "twice", "ada", last)
        once(2, answer, "twice", "ada", "a question of the page before", ("awe", "fear"), "first")

    again = AppTest.from_function(sent_again)
    again.session_state["tasks"] = tasks[:2].to_list()
    again.session_state["annotation_step"] = page.session_state["annotation_step"]
    again.run()
    assert not again.exception
    assert read_annotations("twice", warehouse, "ada")["task"].to_list() == [tasks[0]]
    assert "annotation_problem" not in again.session_state
