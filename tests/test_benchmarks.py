"""The throughput benchmark and its stub server, with tiny numbers: what they count and check, not how fast anything is."""

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import httpx2
from openai import AsyncOpenAI, RateLimitError
from openai.types.chat import ChatCompletion

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@contextmanager
def stub(*options: str) -> Iterator[str]:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, BENCHMARKS / "chat_stub.py", str(port), *options])
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=10)) as client:  # until it listens
            assert client.get(f"{url}/v1/models").json()["data"][0]["id"] == "stub-vlm"
        yield url
    finally:
        process.terminate()
        process.wait()


def ask(url: str, images: list[str]) -> list[ChatCompletion | BaseException]:
    """Return what came of asking about all images at once, without retries."""

    async def all_at_once() -> list[ChatCompletion | BaseException]:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            contents = [[{"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}}] for image in images]
            asked = [client.chat.completions.create(model="m", messages=[{"role": "user", "content": part}]) for part in contents]
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_at_once())


def test_the_stub_answers_equal_images_alike_and_counts():
    with stub("--latency", "0.5") as url:
        first, second, other = ask(url, ["AAAA", "AAAA", "BBBB"])
        assert first.choices[0].message.content == second.choices[0].message.content != other.choices[0].message.content
        counts = {"requests": 3, "ok": 3, "faults": 0, "peak_in_flight": 3, "distinct_images": 2}
        assert httpx2.get(f"{url}/stats").json() == counts
        assert httpx2.get(f"{url}/stats").json() == dict.fromkeys(counts, 0)


def test_the_stub_refuses_what_exceeds_its_cap():
    with stub("--latency", "0.5", "--max-in-flight", "4") as url:
        replies = ask(url, ["AAAA"] * 10)
    refused = [reply for reply in replies if isinstance(reply, RateLimitError)]
    assert [len(replies), len(refused)] == [10, 6]
    assert {reply.response.headers["retry-after"] for reply in refused} == {"1"}


def test_the_stub_has_every_kind_of_fault():
    with stub("--latency", "0.02", "--fault-rate", "1") as url:
        replies = ask(url, ["AAAA"] * 60)
    kinds = Counter(type(reply).__name__ if isinstance(reply, Exception) else reply.choices[0].finish_reason for reply in replies)
    assert set(kinds) == {"RateLimitError", "InternalServerError", "APIConnectionError", "stop", "length", "content_filter"}


def test_the_benchmark_accounts_for_every_image_of_faulty_and_capped_servers():
    options = ["--n", "40", "--in-flight", "8", "--latency", "0.01", "--rounds", "1", "--fault-rate", "0.2", "--max-in-flight", "4"]
    done = subprocess.run([sys.executable, BENCHMARKS / "api_throughput.py", *options], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("40 images"), done.stderr
    assert lines.count("  target every image has a final status") == 2
    assert [sum(map(int, re.findall(r"(\d+) (?:ok|unparseable|content_filter)", line))) for line in lines if " ok" in line] == [40, 40]
    assert re.fullmatch(r"ours \d+\.\d\d x the limit", lines[-1])
