"""Download an archive: continued where it was cut, never pieced together from two versions, and the same each time.

huggingface_hub's `http_get` was tried and left: it drops up to 10 MB at every cut, and cannot tell whether the server's file has changed
between two parts. httpx does the transfer and tenacity the retries; what is here is Range with If-Range (RFC 9110, section 13.1.5) and
the SHA-256 beside the file.
"""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2
from filelock import FileLock
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from eve_pipeline.datasets.archives import is_whole
from eve_pipeline.errors import EveError
from eve_pipeline.files import sha256_of_file
from eve_pipeline.progress import transfer_bar

ATTEMPTS = 3
"""Failures in a row after which a download that does not grow is given up."""
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416
_TRANSIENT = {408, _RANGE_NOT_SATISFIABLE, 429, 500, 502, 503, 504}


def fetch(url: str, folder: Path) -> Path:
    """Return the archive that a link leads to, in `folder`; what is there already is not downloaded again.

    Raises:
        EveError: the link cannot be fetched (what came is kept and continued next time), what came is no archive, or the file is not the
            one of the first time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / unquote(urlsplit(url).path).rpartition("/")[-1]
    with FileLock(folder / ".lock"):
        if not file.exists():
            _download(url, file)
        _check_digest(file)
    return file


def _download(url: str, file: Path) -> None:
    partial, version = file.with_name(f".partial-{file.name}"), file.with_name(f".version-{file.name}")
    retrying = Retrying(
        retry=retry_if_exception(_is_transient), stop=_without_progress(partial), wait=wait_exponential_jitter(0.5, max=8), reraise=True
    )
    with httpx2.Client(follow_redirects=True, timeout=30, headers={"Accept-Encoding": "identity"}) as client:
        try:
            retrying(_transfer, client, url, partial, version)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            again = "Run the same command again; it continues where it was cut."
            hint = again if _is_transient(error) else "Open the link in a browser to see what it leads to."
            raise EveError(f"{url} could not be downloaded: {_reason(error)}", hint) from error
    if not is_whole(partial, file.name):
        partial.unlink()
        raise EveError(f"{url} does not lead to an archive", "Open the link in a browser to see what it leads to.")
    partial.replace(file)
    version.unlink(missing_ok=True)


def _without_progress(partial: Path) -> Callable[[RetryCallState], bool]:
    """Return what tells whether the last attempts brought nothing."""
    sizes: deque[int] = deque(maxlen=ATTEMPTS)

    def is_stuck(_: RetryCallState) -> bool:
        sizes.append(_size(partial))
        return len(sizes) == ATTEMPTS and len(set(sizes)) == 1

    return is_stuck


def _transfer(client: httpx2.Client, url: str, partial: Path, version: Path) -> None:
    """Ask once for what is missing and write what comes; a reply with the whole file replaces what is there."""
    first, known = _size(partial), version.read_text(encoding="utf-8") if version.exists() else ""
    headers = {"Range": f"bytes={first}-", "If-Range": known} if first and known else {}
    with ExitStack() as stack:
        response = stack.enter_context(client.stream("GET", url, headers=headers))
        if response.status_code == _RANGE_NOT_SATISFIABLE:
            partial.unlink()
        response.raise_for_status()
        is_rest = response.status_code == _PARTIAL_CONTENT
        if is_rest and not (_version(response) in {known, ""} and response.headers.get("Content-Range", "").startswith(f"bytes {first}-")):
            partial.unlink()
            raise httpx2.RemoteProtocolError("the server continued another file than the one that was begun")
        if not is_rest:
            partial.unlink(missing_ok=True)  # before its version is forgotten: a kill between the two would join two versions
            first = 0
        version.write_text(_version(response), encoding="utf-8")
        length = response.headers.get("Content-Length")
        advance = stack.enter_context(transfer_bar(f"Downloading {url}", first, first + int(length) if length else None))
        stream = stack.enter_context(partial.open("ab"))
        for chunk in response.iter_raw():
            stream.write(chunk)
            advance(len(chunk))


def _version(response: httpx2.Response) -> str:
    """Return what names the file's exact version; a weak tag may stand for several contents, and does not."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in _TRANSIENT
    return isinstance(error, httpx2.TransportError)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.HTTPStatusError):
        return f"{error.response.status_code} {error.response.reason_phrase}"
    return str(error) or type(error).__name__


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _check_digest(file: Path) -> None:
    """Write the file's SHA-256 beside it, as sha256sum does, or compare with what is written there."""
    noted, digest = file.with_name(f"{file.name}.sha256"), sha256_of_file(file)
    if not noted.exists():
        noted.write_text(f"{digest}  {file.name}\n", encoding="utf-8")
    elif noted.read_text(encoding="utf-8").split()[:1] != [digest]:
        raise EveError(
            f"{file} is not the file that was first fetched: its SHA-256 is {digest}, {noted.name} says another",
            f"If the dataset was renewed, delete {noted}; else delete {file} to fetch it again.",
        )
