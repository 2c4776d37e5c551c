"""The app as a server, in a real browser."""

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.explorer.conftest import SETTLED, Edition, Visit, serving

HOSTILE = "<img src=x onerror=alert(1)> ![p](http://evil.example/p.png) :red[r] :smile: $x^2$ **b** '; drop table images; --"
TOKEN = "open-sesame"  # noqa: S105 - it is a test's own
CELL = "subset=sample&model=demo-llava-small&prompt=simple"


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_selector(SETTLED, timeout=60_000)


def test_from_the_leaderboard_to_the_images_of_a_confusion_cell(visit: Visit):
    page = visit("?subset=sample&prompt=simple")
    expect(page.get_by_role("rowheader", name="demo-llava-base")).to_be_visible()
    page.get_by_role("link", name="demo-llava-small").click()
    expect(page.get_by_role("heading", name="Model", exact=True)).to_be_visible(timeout=60_000)
    matrix = page.get_by_test_id("stVegaLiteChart").last.locator("canvas, svg").first
    matrix.wait_for(timeout=60_000)
    settled(page)
    chosen = page.get_by_role("combobox", name="Truth").input_value()
    box = matrix.bounding_box()
    assert box
    for row in (0.35, 0.55, 0.75, 0.9):  # somewhere on the diagonal, where no model is without images
        page.mouse.click(box["x"] + box["width"] * (0.18 + 0.8 * (row - 0.3) / 0.7), box["y"] + box["height"] * row)
        page.wait_for_timeout(1500)
        settled(page)
        if page.get_by_role("combobox", name="Truth").input_value() != chosen:
            break
    truth, said = (page.get_by_role("combobox", name=name).input_value() for name in ("Truth", "Answered"))
    assert truth != chosen
    expect(page.get_by_text(re.compile(f"of truth '{truth}' answered '{said}'"))).to_be_visible()
    expect(page.get_by_text(f"{truth} → {said}").first).to_be_visible()
    expect(page.locator("[class*=st-key-card-] img").first).to_be_visible()
    assert f"truth={truth}" in page.url


def test_a_copied_link_shows_the_same_view(visit: Visit, browser: Browser, server: str):
    page = visit(f"model?{CELL}")
    page.get_by_role("combobox", name="Truth").click()
    page.get_by_role("option", name="fear", exact=True).click()
    settled(page)
    page.get_by_role("radio", name="answered", exact=True).or_(page.get_by_role("button", name="answered", exact=True)).first.click()
    settled(page)
    page.wait_for_function("location.search.includes('truth=fear') && location.search.includes('scoring=answered')")
    again = visit(page.url.removeprefix(f"{server}/"))
    for name in ("Images", "Model", "Prompt", "Truth", "Answered"):
        box = page.get_by_role("combobox", name=name, exact=True)
        expect(again.get_by_role("combobox", name=name, exact=True)).to_have_value(box.input_value())
    expect(again.get_by_text("scoring answered")).to_be_visible()


def test_a_new_publication_is_shown_without_a_click(visit: Visit, edition: Edition):
    page = visit("?subset=sample&prompt=simple")
    expect(page.get_by_text("0.999")).to_have_count(0)
    edition("update marts.weighted_f1 set weighted_f1 = 0.999 where model = 'demo-llava-small'")
    expect(page.get_by_role("cell", name="0.999", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("New results were published")).to_be_visible()


def test_hostile_text_is_shown_as_text_everywhere(visit: Visit, edition: Edition):
    quoted = HOSTILE.replace("'", "''")
    edition(
        f"update raw.images set image_id = '{quoted}' where image_id = 'abstract_0001.jpg'",
        f"update raw.requests set image_id = '{quoted}' where image_id = 'abstract_0001.jpg'",
        f"update raw.answers set image_id = '{quoted}', raw_label = '{quoted}', label = '{quoted}' where image_id = 'abstract_0001.jpg'",
        f"update raw.images set label = '{quoted}' where image_id = '{quoted}'",
        f"update marts.confusion set truth = '{quoted}' where truth = 'fear'",
        f"update marts.per_class_f1 set label = '{quoted}' where label = 'fear'",
        f"update marts.unmatched_words set word = '{quoted}' || repeat('x', 1000000)",
        "create table raw.kept as from raw.responses",
        "create or replace view raw.responses as select * replace "
        f"('{quoted}' || chr(8238) || chr(7) || repeat('x', 1000000) as text) from raw.kept",
    )
    beginning = HOSTILE[:28]
    for path in ("images?subset=sample&prompt=simple", f"model?{CELL}", "open_answers"):
        page = visit(path)
        if not path.startswith("open"):
            expect(page.get_by_text(beginning).first).to_be_visible(timeout=30_000)
        assert page.locator(".stMainBlockContainer img[src='x'], img[src*=evil]").count() == 0
    page = visit(f"image?dataset=sample&image={quote(HOSTILE)}")
    expect(page.get_by_text(f"{HOSTILE} of sample")).to_be_visible(timeout=30_000)
    code = page.get_by_test_id("stCode").first
    expect(code).to_contain_text(HOSTILE)
    assert "\ufffd\ufffdxxx" in code.inner_text()
    expect(page.get_by_text(re.compile(r"The first 2,000 of 1,0\d\d,\d\d\d characters\.")).first).to_be_visible()
    assert len(page.content()) < 900_000
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the whole text").first.click()
    assert len(Path(download.value.path()).read_text()) > 1_000_000


def test_it_is_used_by_keyboard_and_fits_a_telephone(browser: Browser, server: str):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for path in ("", f"model?{CELL}", "compare", "prompts", "images", "open_answers", "costs", "sql"):
        page.goto(f"{server}/{path}")
        page.wait_for_selector("h1", timeout=60_000)
        settled(page)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), path
    page.goto(f"{server}/?subset=sample&prompt=simple")
    page.wait_for_selector("h1", timeout=60_000)
    settled(page)
    page.get_by_role("combobox", name="Prompt", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.type("explanation")
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('prompt=explanation')")
    context.close()


@pytest.mark.parametrize("path", ["", "model", "images", "sql", "image?dataset=sample&image=abstract_0002.jpg"])
def test_without_the_token_nothing_is_shown(browser: Browser, guarded: str, path: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{guarded}/{path}")
    expect(page.get_by_label("Token")).to_be_visible(timeout=60_000)
    settled(page)
    words = page.get_by_test_id("stApp").inner_text()
    assert "demo-llava" not in words
    assert "abstract_" not in words
    assert page.locator(".eve-table").count() == 0
    context.close()


@pytest.fixture(scope="module")
def guarded(home: Path):
    server = serving(home, EVE_APP_TOKEN=TOKEN)
    with server as url:
        yield url
    assert TOKEN not in server.log


def test_the_token_opens_by_link_or_form_and_leaves_the_address(browser: Browser, guarded: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{guarded}/?token={TOKEN}&subset=sample-hard")
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=60_000)
    page.wait_for_function("!location.search.includes('token') && location.search.includes('subset=sample-hard')")
    page.goto(f"{guarded}/?subset=sample-hard")
    page.get_by_label("Token").fill(TOKEN[:-1])
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_text("This is not the token.")).to_be_visible(timeout=30_000)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_role("combobox", name="Images")).to_have_value("sample-hard", timeout=60_000)
    context.close()


def test_sql_in_the_address_is_shown_as_asked(visit: Visit):
    page = visit("sql?sql=select%20%27%3Cb%3Ebold%3C%2Fb%3E%27%20as%20said")
    expect(page.get_by_label("Query", exact=True)).to_have_value("select '<b>bold</b>' as said")
    expect(page.get_by_text("1 row.")).to_be_visible()
    assert json.dumps(page.locator("b").all_inner_texts()) == "[]"
