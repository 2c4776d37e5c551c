"""Annotating in a real browser: by keyboard, through a killed server, by two people, with and without an invitation."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect

from eve_pipeline.annotation.invitations import invite
from eve_pipeline.annotation.sampling import Wanted
from eve_pipeline.annotation.studies import make_study, read_annotations, read_tasks, sheet
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from tests.explorer.conftest import SETTLED, serving

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
        page.keyboard.press("z")
        expect(page.get_by_text("10 of 12 answered")).to_be_visible()
        press(page, "2u", 10)
        expect(page.get_by_text("That was the last one")).to_be_visible()
    last = read_annotations("twelve", warehouse, "ada").tail(2)
    assert last.select("task", "choice").rows() == [(seen["task"][10], "second"), (seen["task"][11], "unsure")]


def test_a_second_annotator_remarks_and_both_agree_in_the_next_publication(page: Page, warehouse: Warehouse) -> None:
    """Typing a remark answers nothing; what it holds is shown as text."""
    is_control = dict(read_tasks("twelve", warehouse).select("task", "is_control").iter_rows())
    n_before = [is_control[task] for task in sheet("twelve", "bo", warehouse)["task"]].index(False)  # remarks about errors are shown
    with serving(warehouse.home) as url:
        page.goto(f"{url}/annotate")
        page.get_by_role("textbox", name="Your name").fill("Bo")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("0 of 12 answered · twelve · bo")).to_be_visible()
        press(page, "u" * n_before, 0)
        page.get_by_text("How sure are you?").click()
        page.get_by_role("radio", name="4").or_(page.get_by_role("button", name="4", exact=True)).first.click()
        page.get_by_role("textbox", name="Remark").press_sequentially(HOSTILE)
        page.get_by_role("textbox", name="Remark").press("Control+Enter")
        page.get_by_text("Which word describes better").click()
        assert read_annotations("twelve", warehouse, "bo").height == n_before
        press(page, "12bnu12bnu12"[n_before:], n_before)
        remarked = read_annotations("twelve", warehouse, "bo").row(n_before, named=True)
        assert (remarked["comment"], remarked["confidence"]) == (HOSTILE, 4)
        if not read_annotations("twelve", warehouse, "ada").height:
            pytest.fail("the first annotator's test did not run")
        with duckdb.connect(publish(warehouse, Settings(home=warehouse.home)), read_only=True) as connection:
            agreement = connection.sql("select n_annotators, n_tasks from marts.human_agreement where measure = 'verdict'").fetchall()
            assert agreement == [(2, 10)]
        page.goto(f"{url}/human_evaluation")
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
        page.goto(f"{url}/leaderboard?token={token}&study=twelve&annotator=ada")
        expect(page.get_by_text("0 of 3 answered · other · cy")).to_be_visible()
        expect(page.get_by_text("Leaderboard")).to_have_count(0)
        assert token not in page.url
        press(page, "b", 0, n_tasks=3)
        page.goto(f"{url}/annotate?token={READERS}&study=twelve&annotator=ada")
        expect(page.get_by_text("You need an invitation to annotate here.")).to_be_visible()
    assert read_annotations("other", warehouse, "cy").height == 1
