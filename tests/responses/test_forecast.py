"""Forecasts against numbers worked out by hand and against what a run then took."""

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.forecast import Totals, all_totals, expected_usd, forecast, totals
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.responses.tokens import completion_tokens, image_tokens, text_tokens
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ImagePreparation, ImageTokens, Limits, ModelEntry, Parameters, Prices, model_entry
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer

PRICES = Prices.model_validate({"input_usd": 2.5, "output_usd": 10, "read_on": "2026-11-24", "source": "https://example.org"})
GPT = ModelEntry(key="m", backend="openai", id="gpt-4o", image_tokens=ImageTokens(base=85, per_tile=170), prices=PRICES)
SIMPLE = 'Which: fear, awe? Answer only with JSON: {"prediction": "<emotion>"}'
N = 24


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1024, 1024, 765),  # the three examples of OpenAI's documentation
        (2048, 4096, 1105),
        (4096, 8192, 1105),
        (150, 150, 255),  # one tile; small images are not enlarged
        (512, 513, 425),
        (8000, 20, 765),  # fitted to 2048 x 5: four tiles in a row
        (0, 0, 255),  # of unknown size
    ],
)
def test_image_tokens_by_tiles(width: int, height: int, tokens: int):
    assert image_tokens(GPT, width, height) == tokens


def test_low_detail_costs_the_base_and_scaling_comes_first():
    low = GPT.model_copy(update={"image": ImagePreparation(detail="low")})
    assert image_tokens(low, 4096, 8192) == 85
    scaled = GPT.model_copy(update={"image": ImagePreparation(max_side=512)})
    assert image_tokens(scaled, 2048, 4096) == 255


def test_without_a_rule_of_its_own_an_image_has_a_token_a_patch():
    entry = GPT.model_copy(update={"image_tokens": None})
    assert image_tokens(entry, 1024, 1024) == 1024  # OpenAI's example
    assert image_tokens(entry, 1800, 2400) == 1536  # at most
    assert image_tokens(entry, 33, 32) == 2


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_no_image_has_more_tiles_than_its_largest_scaled_size(width: int, height: int):
    assert 255 <= image_tokens(GPT, width, height) <= 85 + 170 * 4 * 2
    assert image_tokens(GPT, width, height) == image_tokens(GPT, height, width)


def test_a_request_costs_its_tokens_at_the_entrys_prices():
    assert text_tokens(SIMPLE) == 17  # 68 characters
    assert completion_tokens(GPT, SIMPLE) == 12
    assert completion_tokens(GPT, '{"prediction": "a", "explanation" : "b"}') == 72
    short = GPT.model_copy(update={"parameters": Parameters(max_new_tokens=40)})
    assert completion_tokens(short, '{"prediction": "a", "explanation": "b"}') == 40
    assert expected_usd(GPT, SIMPLE, 1024, 1024) == pytest.approx(((17 + 765) * 2.5 + 12 * 10) / 1e6, rel=1e-12)
    assert expected_usd(GPT.model_copy(update={"prices": None}), SIMPLE, 1024, 1024) is None


def requests(latency_ms: float | None, n: int = 100) -> pl.DataFrame:
    frame = pl.DataFrame({"prompt_tokens": [900.0] * n, "completion_tokens": [100.0] * n, "latency_ms": [latency_ms] * n})
    return frame.cast(pl.Float64)


@pytest.mark.parametrize(
    ("limits", "latency_ms", "minutes"),
    [
        (Limits(max_in_flight=10), 600.0, 0.1),  # 100 x 0.6 s, 10 at a time
        (Limits(max_in_flight=500), 600.0, 0.01),  # no more than there are
        (Limits(max_in_flight=10, requests_per_minute=20), 600.0, 5.0),
        (Limits(max_in_flight=10, tokens_per_minute=10_000), 600.0, 10.0),
        (Limits(), None, None),
        (Limits(requests_per_minute=20), None, 5.0),
    ],
)
def test_minutes_are_of_latency_and_caps_and_never_invented(limits: Limits, latency_ms: float | None, minutes: float | None):
    entry = GPT.model_copy(update={"limits": limits})
    assert totals(requests(latency_ms), entry).minutes == pytest.approx(minutes)


def test_totals_by_hand():
    local = GPT.model_copy(update={"backend": "transformers", "prices": None})
    assert totals(requests(600.0), local) == Totals(100, 90_000, 10_000, None, 1.0)  # its latency is a share of a batch's
    assert totals(requests(600.0, 0), local) == Totals(0, 0, 0, 0.0, 0.0)
    paid = totals(requests(600.0), GPT)
    assert paid.usd == pytest.approx(0.225 + 0.1)
    assert all_totals([paid, paid]) == Totals(200, 180_000, 20_000, paid.usd + paid.usd, paid.minutes + paid.minutes)
    assert all_totals([paid, totals(requests(600.0), local)]).usd is None


@pytest.fixture
def priced(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]) -> Settings:
    add_model("paid", backend="openai", id="stub", base_url=chat_server.url, prices=PRICES.model_dump(mode="json"))
    return prepared


def foreseen(settings: Settings, prompt: str = "simple", model: str = "paid") -> pl.DataFrame:
    return forecast([plan_cell(Cell(model, "photos", prompt), settings)], settings)


def test_before_any_reply_tokens_are_estimated(priced: Settings):
    expected = foreseen(priced)
    prompt = plan_cell(Cell("paid", "photos", "simple"), priced).configs["rendered_prompt"][0]
    assert expected.height == N
    assert set(expected["basis"]) == {"estimated"}
    assert set(expected["prompt_tokens"]) == {text_tokens(prompt) + 1}  # 32 x 32 pixels: one patch
    assert set(expected["completion_tokens"]) == {12}
    assert expected["latency_ms"].is_null().all()


def test_stored_replies_to_the_same_prompt_decide(priced: Settings):
    list(ask_cells([Cell("paid", "photos", "simple")], priced, extent=Extent(limit=10)))
    replies = read_table("responses", Warehouse.of(priced).files("responses"))
    expected = foreseen(priced)
    assert expected.height == N - 10
    assert set(expected["basis"]) == {"stored"}
    assert expected["prompt_tokens"].to_list() == pytest.approx([100.0] * (N - 10))  # the server counts 100 and 8
    assert expected["completion_tokens"].to_list() == pytest.approx([8.0] * (N - 10))
    assert expected["latency_ms"].to_list() == pytest.approx([replies["latency_ms"].mean()] * (N - 10))


@pytest.mark.parametrize("table", ["configs", "requests"])
def test_a_damaged_file_of_the_model_is_named(priced: Settings, table: str):
    cell = Cell("paid", "photos", "explanation")
    next(iter(ask_cells([cell], priced)))
    file = Warehouse.of(priced).file(table, cell.model, cell.task)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(EveError, match=f"{file} is not a readable Parquet file"):
        foreseen(priced)


def test_replies_to_other_prompts_are_scaled(priced: Settings):
    list(ask_cells([Cell("paid", "photos", "simple")], priced))
    replies = read_table("responses", Warehouse.of(priced).files("responses"))
    expected = foreseen(priced, "explanation")
    texts = {
        prompt: plan_cell(Cell("paid", "photos", prompt), priced).configs["rendered_prompt"][0] for prompt in ("simple", "explanation")
    }
    ratio = 100 / (text_tokens(texts["simple"]) + 1)
    assert set(expected["basis"]) == {"scaled"}
    assert expected["prompt_tokens"].to_list() == pytest.approx([(text_tokens(texts["explanation"]) + 1) * ratio] * N)
    assert expected["completion_tokens"].to_list() == pytest.approx([72 * 8 / 12] * N)
    assert expected["latency_ms"].to_list() == pytest.approx([replies["latency_ms"].mean() * 6] * N)


def test_replies_to_pictures_prepared_differently_say_nothing(priced: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    list(ask_cells([Cell("paid", "photos", "simple")], priced))
    add_model("paid", backend="openai", id="stub", base_url=chat_server.url, image={"max_side": 16})
    assert set(foreseen(priced)["basis"]) == {"estimated"}


def test_replies_of_an_earlier_revision_are_gone_by(priced: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    list(ask_cells([Cell("paid", "photos", "simple")], priced))
    add_model("paid", backend="openai", id="stub", base_url=chat_server.url, prices=PRICES.model_dump(mode="json"), revision="r2")
    expected = foreseen(priced)
    assert expected.height == N
    assert set(expected["basis"]) == {"stored"}
    assert expected["prompt_tokens"].to_list() == pytest.approx([100.0] * N)


def test_failed_requests_have_no_part_in_the_forecast(priced: Settings, chat_server: ChatServer):
    chat_server.fault = lambda number: 400 if number > 10 else 0
    list(ask_cells([Cell("paid", "photos", "simple")], priced))
    expected = foreseen(priced)
    assert expected.height == N - 10
    assert expected["prompt_tokens"].to_list() == pytest.approx([100.0] * (N - 10))


def test_what_is_forecast_is_what_the_rest_then_costs(priced: Settings):
    list(ask_cells([Cell("paid", "photos", "simple")], priced, extent=Extent(limit=10)))
    before = read_table("responses", Warehouse.of(priced).files("responses"))["cost_usd"].sum()
    foretold = totals(foreseen(priced), model_entry("paid", priced)).usd
    list(ask_cells([Cell("paid", "photos", "simple")], priced))
    spent = read_table("responses", Warehouse.of(priced).files("responses"))["cost_usd"].sum() - before
    assert foretold == pytest.approx(spent)
    assert totals(foreseen(priced), model_entry("paid", priced)) == Totals(0, 0, 0, 0.0, 0.0)


def test_replies_are_capped_where_the_entry_ends_them(priced: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    add_model("short", backend="openai", id="stub", base_url=chat_server.url, parameters={"max_new_tokens": 5})
    assert set(foreseen(priced, model="short")["completion_tokens"]) == {5}
