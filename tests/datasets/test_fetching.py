"""Downloads from a real server on loopback."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eve_pipeline.datasets.fetching import fetch
from eve_pipeline.errors import EveError
from tests.file_server import FileServer


def archive(seed: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("1.jpg", np.random.default_rng(seed).bytes(300_000))
    return content.getvalue()


CONTENT, RENEWED = archive(0), archive(1)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT) as server:
        yield server


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def interrupt(server: FileServer, folder: Path, n_bytes: int) -> None:
    """Leave what a killed download of the server's present file leaves: its first bytes, and the version they are of."""
    folder.mkdir()
    (folder / ".partial-data.zip").write_bytes(server.content[:n_bytes])
    (folder / ".version-data.zip").write_text(server.etag)


def test_the_file_and_its_digest_are_there_and_are_not_fetched_again(server: FileServer, tmp_path: Path):
    file = fetch(f"{server.url}/some/data.zip?x=1", tmp_path)
    assert file == tmp_path / "data.zip"
    assert file.read_bytes() == CONTENT
    assert names(tmp_path) == ["data.zip", "data.zip.sha256"]
    assert (tmp_path / "data.zip.sha256").read_text() == f"{hashlib.sha256(CONTENT).hexdigest()}  data.zip\n"
    assert fetch(f"{server.url}/some/data.zip", tmp_path) == file
    assert server.seen == ["whole"]


def test_a_cut_connection_goes_on_where_it_was(server: FileServer, tmp_path: Path):
    server.cut_after = [100_000, 0, 50_000]
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == CONTENT
    assert server.seen == ["whole", "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_a_killed_download_goes_on_where_it_was(server: FileServer, tmp_path: Path):
    interrupt(server, tmp_path / "d", 123_456)
    assert fetch(f"{server.url}/data.zip", tmp_path / "d").read_bytes() == CONTENT
    assert server.seen == ["bytes=123456-"]


def test_a_download_that_was_killed_before_its_end_was_seen_is_fetched_again(server: FileServer, tmp_path: Path):
    interrupt(server, tmp_path / "d", len(CONTENT))
    assert fetch(f"{server.url}/data.zip", tmp_path / "d").read_bytes() == CONTENT
    assert server.seen == [f"bytes={len(CONTENT)}-", "whole"]


def test_another_version_begins_anew(server: FileServer, tmp_path: Path):
    interrupt(server, tmp_path / "d", 123_456)
    server.renew(RENEWED, '"2"')
    assert fetch(f"{server.url}/data.zip", tmp_path / "d").read_bytes() == RENEWED
    assert server.seen == ["bytes=123456-"]
    assert (tmp_path / "d" / "data.zip.sha256").read_text().startswith(hashlib.sha256(RENEWED).hexdigest())


def test_a_file_that_is_renewed_while_it_is_fetched_begins_anew(server: FileServer, tmp_path: Path):
    server.cut_after = [100_000]
    server.on_cut = lambda: server.renew(RENEWED, '"2"')
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == RENEWED


def test_two_versions_are_never_pieced_together(server: FileServer, tmp_path: Path):
    server.cut_after, server.honours_if_range = [100_000], False
    server.on_cut = lambda: server.renew(RENEWED, '"2"')
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == RENEWED
    assert server.seen == ["whole", "bytes=100000-", "whole"]


@pytest.mark.parametrize("etag", ['W/"1"', None])
def test_a_server_that_names_no_exact_version_is_asked_for_the_whole(server: FileServer, tmp_path: Path, etag: str | None):
    server.etag, server.cut_after = etag, [100_000]
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == CONTENT
    assert server.seen == ["whole", "whole"]


def test_a_server_without_ranges_begins_anew_after_a_cut(server: FileServer, tmp_path: Path):
    server.ranges, server.cut_after = False, [100_000]
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == CONTENT
    assert server.seen == ["whole", "bytes=100000-"]


def test_what_came_before_the_server_gave_up_is_kept(server: FileServer, tmp_path: Path):
    server.cut_after = [100_000, 0, 0]
    with pytest.raises(EveError, match=r"(?s)data\.zip could not be downloaded: .*Run the same command again; it continues where it was"):
        fetch(f"{server.url}/data.zip", tmp_path)
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == CONTENT
    assert server.seen == ["whole", "bytes=100000-", "bytes=100000-", "bytes=100000-"]


@pytest.mark.parametrize(("stated", "problem"), [(100, "could not be downloaded"), (-100, "does not lead to an archive")])
def test_a_server_that_states_a_wrong_length_gives_no_file(server: FileServer, tmp_path: Path, stated: int, problem: str):
    server.stated, server.ranges = stated, False
    with pytest.raises(EveError, match=rf"data\.zip {problem}"):
        fetch(f"{server.url}/data.zip", tmp_path)
    assert not {"data.zip", "data.zip.sha256"} & set(names(tmp_path))


def test_a_page_in_place_of_the_archive_is_refused(server: FileServer, tmp_path: Path):
    server.content = b"<!DOCTYPE html><title>Sign in</title>"
    with pytest.raises(EveError, match=r"data\.zip does not lead to an archive"):
        fetch(f"{server.url}/data.zip", tmp_path)
    assert names(tmp_path) == [".version-data.zip"]


def test_a_server_that_is_busy_is_asked_again(server: FileServer, tmp_path: Path):
    server.statuses = [503, 429]
    assert fetch(f"{server.url}/data.zip", tmp_path).read_bytes() == CONTENT


def test_a_dead_link_is_named_at_once(server: FileServer, tmp_path: Path):
    server.statuses = [404]
    with pytest.raises(EveError, match=rf"{server.url}/data\.zip could not be downloaded: 404 Not Found"):
        fetch(f"{server.url}/data.zip", tmp_path)
    assert names(tmp_path) == []


def test_no_network_is_told(tmp_path: Path):
    with FileServer(b"") as gone:
        url = gone.url
    with pytest.raises(EveError, match=rf"(?s){url}/data\.zip could not be downloaded: .*Run the same command again"):
        fetch(f"{url}/data.zip", tmp_path)


def test_a_file_that_is_another_one_than_the_first_time_is_refused(server: FileServer, tmp_path: Path):
    file = fetch(f"{server.url}/data.zip", tmp_path)
    file.write_bytes(b"changed")
    with pytest.raises(EveError, match=r"(?s)data\.zip is not the file that was first fetched.*delete .*data\.zip\.sha256"):
        fetch(f"{server.url}/data.zip", tmp_path)
    file.unlink()
    server.renew(RENEWED, '"2"')
    with pytest.raises(EveError, match="is not the file that was first fetched"):
        fetch(f"{server.url}/data.zip", tmp_path)


def test_a_bar_shows_what_is_done_on_a_terminal(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    fetch(f"{server.url}/data.zip", tmp_path / "silent")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    fetch(f"{server.url}/data.zip", tmp_path / "shown")
    assert "300.1/300.1 kB" in capsys.readouterr().err
