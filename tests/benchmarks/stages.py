"""Where the time of a token goes: the same token through more and more of the path, times the bare signature check.

    uv run --group bench python tests/benchmarks/stages.py [--full]

Each row holds all rows above it, but for the last: what is left when python-jose checks the signature, pydantic reads the JSON, and
nothing at all is asked of header and claims, in one function without a coroutine. Nothing built on these two costs less.

The second table does the same with a request to a FastAPI app in this process: what an open route takes, and what is added.
"""

import asyncio
import statistics
import time
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from contenders import SCOPE, Ours, OursCached
from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPBearer, SecurityScopes
from harness import RESOURCE, arguments, ask, issuer, measure, mint, ratios, table, write
from pydantic_core import from_json
from starlette.requests import HTTPConnection
from verify import LIMIT, TARGETS, bare_check

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, parse_json_object
from mcp_oauth2_deps.protocol.jws import SignatureKey, read_header, split_token, verify_signature
from mcp_oauth2_deps.protocol.tokens import unverified_issuer, verify_claims, verify_issuer
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

_STANDARD = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_PADDING = (b"", b"", b"==", b"=")
LEVELS, REMEMBERED = "`require_scopes` with nothing checked", "and a remembered token"
FLOOR = "floor: base64, python-jose, JSON; nothing checked but the signature"


def floor(token: str, keys: Mapping[bytes, SignatureKey]) -> Any:
    """The claims, with the signature checked and nothing else."""
    data = token.encode("ascii")
    head, payload, signature = data.split(b".")
    raw = a2b_base64(signature.translate(_STANDARD) + _PADDING[len(signature) % 4], strict_mode=True)
    if not keys[head].verify(data[: len(head) + 1 + len(payload)], raw):
        raise ValueError("signature")
    return from_json(a2b_base64(payload.translate(_STANDARD) + _PADDING[len(payload) % 4], strict_mode=True))


async def stages(source: DevelopmentIssuer) -> dict[str, Callable[[], Any]]:
    """The calls to compare, from the least to the whole."""
    settings = OAuth2Settings(issuer=source.url, resource=RESOURCE, allow_insecure_http=True, token_cache_size=0)
    authenticator = Authenticator(settings)
    await authenticator.start()
    (policy,), store = authenticator.policies, authenticator.jwks_store
    raw = mint(source)
    token = split_token(raw)
    header = read_header(token.header_segment)
    key_set = await store.key_set(source.url)
    key = key_set.select(header)
    keys, issuers = {token.header_segment: key}, {source.url: policy}
    now = time.time()

    def split() -> None:
        verify_signature(split_token(raw), key)

    def parsed() -> dict[str, Any]:
        token = split_token(raw)
        claims = parse_json_object(token.payload, max_values=MAX_TOKEN_VALUES)
        name = unverified_issuer(claims)
        verify_issuer(name, issuers.get(name))
        verify_signature(token, key)
        return claims

    def claimed() -> None:
        verify_claims(parsed(), header, policy, now=now)

    async def whole() -> None:
        await authenticator.verify(raw)

    return {
        LIMIT: bare_check(source, raw),
        "by python-jose's `Key.verify`": lambda: key.verify(token.signing_input, token.signature),
        "and three segments, canonical base64url": split,
        "and JSON: names unique, numbers finite": parsed,
        "and claims: types, audience, times, kind, scopes, read-only": claimed,
        "and key by header, keys' age, errors, coroutine: all of `Authenticator.verify`": whole,
        FLOOR: lambda: floor(raw, keys),
    }


async def compare(algorithm: str, *, windows: int) -> dict[str, float]:
    """Ratios to the bare check."""
    with issuer(algorithm) as source:
        calls = await stages(source)
        await measure(calls, windows=5, block=25)
        return ratios(await measure(calls, windows=windows, block=25), LIMIT)


class Unchecked(OAuth2BearerScheme):
    """The scheme as FastAPI sees it, with nothing behind: any request gets the same token."""

    token: AccessToken

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken:
        return self.token


async def requests(*, windows: int) -> dict[str, float]:
    """Processor µs of a request, and what is added to an open route's."""
    with issuer() as source:
        full, cached = Ours(source.url), OursCached(source.url)
        await full.start()
        await cached.start()
        raw = mint(source)
        unchecked = Unchecked(authenticator=cached.scheme.authenticator)
        unchecked.token = await cached.scheme.authenticator.verify(raw)

        async def nothing(connection: HTTPConnection) -> None:
            return None

        async def above(connection: HTTPConnection, _: Annotated[None, Depends(nothing)]) -> None:
            return None

        behind = {
            "open": [],
            "a dependency that does nothing": [Depends(nothing)],
            "two, one depending on the other": [Depends(above)],
            "`HTTPBearer` alone": [Depends(HTTPBearer())],
            LEVELS: [Security(unchecked.require_scopes(SCOPE))],
            REMEMBERED: [cached.dependency],
            "and a token verified in full": [full.dependency],
        }
        headers = [(b"host", b"api.example.com"), (b"authorization", b"Bearer " + raw.encode("ascii"))]
        calls = {name: _request(dependencies, headers) for name, dependencies in behind.items()}
        await measure(calls, windows=5, block=25)
        spent = await measure(calls, windows=windows, block=25)
    added = {name: [one - other for one, other in zip(values, spent["open"], strict=True)] for name, values in spent.items()}
    return {name: statistics.median(spent[name] if name == "open" else added[name]) for name in behind}


def _request(dependencies: list[Any], headers: list[tuple[bytes, bytes]]) -> Callable[[], Any]:
    app = FastAPI(openapi_url=None)

    async def answer() -> dict[str, str]:
        return {"hello": "world"}

    app.add_api_route("/", answer, dependencies=dependencies)

    async def call() -> None:
        await ask(app, headers)

    return call


def main() -> None:
    """Measures, and writes the results."""
    options = arguments(__doc__)
    ratio = {algorithm: asyncio.run(compare(algorithm, windows=2000 if options.full else 300)) for algorithm in TARGETS}
    rows = [[name, *(ratio[algorithm][name] for algorithm in TARGETS)] for name in ratio["RS256"]]
    rows.append(["target", *TARGETS.values()])
    added = asyncio.run(requests(windows=2000 if options.full else 300))
    text = table(["times the bare check", *TARGETS], rows) + "\n"
    text += table(["a request in process, µs above an open route", "µs"], [[name, value] for name, value in added.items()])
    write("stages", text, {"ratio": ratio, "targets": TARGETS, "request_us": added}, options)


if __name__ == "__main__":
    main()
