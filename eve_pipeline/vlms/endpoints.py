"""Where an entry is asked, with which key, and that nothing else goes there."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Reply
from eve_pipeline.vlms.registry import ModelEntry

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import AsyncOpenAI

OPENAI_URL: Final = "https://api.openai.com/v1"
OPENAI_HOST: Final = "api.openai.com"
NO_KEY: Final = "none"
SENT_HEADERS: Final = {
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "idempotency-key",
    "transfer-encoding", "user-agent", "x-stainless-raw-response",
}  # fmt: skip
SHORTEST_SECRET: Final = 8  # shorter ones, such as EMPTY, are placeholders and words of an answer


class ProviderRefused(EveError):  # noqa: N818 - it is said of the provider
    """A provider refuses all requests alike: a bad key, an unknown model."""


class Endpoint(NamedTuple):
    """A server and the key that it is asked with."""

    base_url: str
    key: str

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Endpoint({self.base_url!r})"


def endpoint(entry: ModelEntry, settings: Settings) -> Endpoint:
    """Return where an entry is asked.

    Raises:
        EveError: images would travel unencrypted, or the key is not set or would go where it does not belong.
    """
    base_url = entry.base_url or OPENAI_URL
    parts = urlsplit(base_url)
    if parts.username or parts.password:
        raise EveError(f"The base_url of model {entry.key!r} holds a password", "Name an environment variable in api_key_env instead.")
    if not (parts.scheme == "https" or entry.allow_unencrypted or (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise EveError(
            f"Model {entry.key!r} would send images and its key unencrypted to {base_url}",
            "Use an https:// base_url, a tunnel to 127.0.0.1, or say `allow_unencrypted: true` in the entry where the network is your own.",
        )
    return Endpoint(base_url, api_key(entry, base_url, settings))


def is_loopback(host: str | None) -> bool:
    """Whether what is sent to a host stays on this machine."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_openai(base_url: str | None) -> bool:
    """Whether a base URL, by default OpenAI's, is OpenAI's own, over TLS."""
    parts = urlsplit(base_url or OPENAI_URL)
    return parts.scheme == "https" and parts.hostname == OPENAI_HOST


def api_key(entry: ModelEntry, base_url: str, settings: Settings) -> str:
    """Return the key for the endpoint's host: OPENAI_API_KEY goes to OpenAI alone, another host gets the entry's key or a dummy.

    Raises:
        EveError: the key is not set, or the entry would send OpenAI's key elsewhere.
    """
    variable = entry.api_key_env or ("OPENAI_API_KEY" if is_openai(base_url) else None)
    if variable == "OPENAI_API_KEY" and not is_openai(base_url):
        raise EveError(
            f"Model {entry.key!r} would send OPENAI_API_KEY to {base_url}",
            "Name another environment variable in its api_key_env.",
        )
    if variable is None:
        return NO_KEY
    secret = settings.secret(variable)
    if secret is None:
        raise EveError(
            f"Model {entry.key!r} needs an API key",
            f"Set the environment variable {variable}, or write {variable}=... to {settings.keyring}.",
        )
    return secret.get_secret_value()


def connect(endpoint: Endpoint, tls: "ssl.SSLContext | bool" = True) -> "AsyncOpenAI":
    """Return a client that asks an endpoint and nobody else: it follows no redirects and retries nothing by itself.

    Several clients can share one `tls` context, which is slow to make. What the client reads from the environment for OpenAI
    (organization, project, custom headers) goes to OpenAI alone.
    """
    import httpx2
    from openai import AsyncOpenAI

    async def keep_to_the_endpoint(request: "httpx2.Request") -> None:
        if not is_openai(endpoint.base_url):
            for name in [name for name in request.headers if name not in SENT_HEADERS]:
                del request.headers[name]
            request.headers["authorization"] = f"Bearer {endpoint.key}"

    client = httpx2.AsyncClient(
        verify=tls,
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        trust_env=endpoint.base_url.startswith("https://"),  # a proxy sees what is not encrypted
        event_hooks={"request": [keep_to_the_endpoint]},
    )
    return AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.key, max_retries=0, http_client=client)


def scrubbed(text: str, key: str) -> str:
    """Return the text without the key."""
    return text.replace(key, "***") if len(key) >= SHORTEST_SECRET else text


def scrubbed_reply(reply: Reply, key: str) -> Reply:
    """Return the reply without the key, which a server may have sent back."""
    texts: Mapping[str, object] = vars(reply)
    if len(key) < SHORTEST_SECRET:
        return reply
    changed = {name: scrubbed(text, key) for name, text in texts.items() if isinstance(text, str) and key in text}
    return reply.model_copy(update=changed) if changed else reply
