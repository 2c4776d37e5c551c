"""Who may annotate from elsewhere: one token an annotator and study, of which the hash alone is kept."""

import hashlib
import hmac
import json
import secrets
from typing import NamedTuple

from filelock import FileLock

from eve_pipeline.annotation.studies import check_key, read_tasks
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.warehouse.paths import Warehouse


class Invited(NamedTuple):
    """Whom a token belongs to."""

    study: str
    annotator: str


def invite(study: str, annotator: str, warehouse: Warehouse, *, renew: bool = False) -> str:
    """Return a new token with which an annotator opens a study; nobody can read it again.

    Raises:
        EveError: there is no such study, the name is none, or the annotator has a token and `renew` is false.
    """
    read_tasks(study, warehouse)
    key, token = f"{study}/{check_key(annotator, 'an annotator')}", secrets.token_urlsafe(24)
    with FileLock(warehouse.lock("invitations")):
        known = _read(warehouse)
        if key in known and not renew:
            raise EveError(f"{annotator} is invited to {study!r} already", "--renew makes a new token; the old one ends.")
        with replacing(warehouse.invitations) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(known | {key: _hash(token)}, indent=1), encoding="utf-8")
    return token


def whose(token: str, warehouse: Warehouse) -> Invited | None:
    """Return whom a token belongs to; None where it is nobody's. All hashes are compared, in equal time."""
    hashed = _hash(token)
    found = [key for key, known in _read(warehouse).items() if hmac.compare_digest(known, hashed)]
    return Invited(*found[0].split("/", 1)) if found else None


def _read(warehouse: Warehouse) -> dict[str, str]:
    file = warehouse.invitations
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _hash(token: str) -> str:
    """A token is 24 random bytes, so that a plain hash of it cannot be reversed by trying."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
