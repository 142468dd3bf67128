"""Two ways in on one server: people come with OAuth, services with a key of their own.

A key is drawn at random, once: `python -c "import secrets; print('svc_' + secrets.token_urlsafe(32))"`. The service keeps it; the
server keeps its digest only, in a file of lines like this, and the key itself nowhere:

    {"sha256": "<hex>", "subject": "nightly-report", "scopes": ["files:read"]}
"""

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Security

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, Presented, Verified


class StaticTokens:
    """Knows the keys of services by their digests. It is never asked about a JWT."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Everything wrong is said now.

        Args:
            entries: for each key `sha256` in hexadecimal digits, `subject` and `scopes`.

        Raises:
            ValueError: a digest that is none, or is there twice; a subject that is empty; scopes that are no list of strings.
        """
        self._known: list[tuple[bytes, AccessToken]] = []
        for number, entry in enumerate(entries, 1):
            digest, subject = bytes.fromhex(entry["sha256"]), entry["subject"]
            scopes: list[Any] = entry["scopes"]
            if len(digest) != sha256().digest_size or any(digest == known for known, _ in self._known):
                raise ValueError(f"key {number}: sha256 is not the SHA-256 of one key in 64 digits")
            if not (isinstance(subject, str) and subject):
                raise ValueError(f"key {number}: subject must say which service it is")
            if type(scopes) is not list or not all(isinstance(scope, str) for scope in scopes):
                raise ValueError(f"key {number}: scopes must be a list of strings")
            # An issuer of its own: no subject here can be taken for a person of the real issuer.
            self._known.append((digest, AccessToken(subject=subject, client_id=subject, issuer="keys", scopes=scopes)))

    @classmethod
    def from_file(cls, path: str | Path) -> "StaticTokens":
        """Those in a file, one JSON object a line.

        Raises:
            OSError: the file cannot be read.
            ValueError: an entry is wrong.
        """
        return cls(json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.strip())

    async def verify(self, presented: Presented) -> Verified | None:
        """The service whose key was presented; none when it is no key of these.

        Does not check: an expiry, because a key has none. Take its line out of the file and start again.
        """
        found = None
        for digest, token in self._known:
            # All are compared, each in the same time, so that the time of an answer tells nothing.
            if compare_digest(digest, presented.digest):
                found = token
        # Nothing vouches for it longer than this request, so it is not remembered.
        return None if found is None else Verified(found)


keys = os.environ.get("SERVICE_KEYS")
auth = OAuth2BearerScheme(verifiers=[StaticTokens.from_file(keys)] if keys else [])
app = FastAPI()
app.include_router(auth.router())


@app.get("/files")
async def list_files(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]) -> dict[str, str | None]:
    return {"issuer": token.issuer, "subject": token.subject}
