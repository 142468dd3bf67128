"""The whole path of a token against the bare signature check, for us and our peers.

    uv run --group bench python tests/benchmarks/verify.py [--full]

Parse, key, signature, claims and scopes, with the keys loaded. A peer is left out where it has no such algorithm. Marked are
peers that take a token without `exp` (e), with padding in its base64 (p), or with characters in it that base64 has not (b).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from contenders import EVERYONE, Contender
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from harness import arguments, bars, issuer, measure, mint, ratios, table, write

from mcp_oauth2_deps.protocol.jws import split_token
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

LIMIT = "bare signature check"
TARGETS = {"RS256": 1.35, "ES256": 1.2, "EdDSA": 1.1}


def bare_check(source: DevelopmentIssuer, token: str) -> Callable[[], Any]:
    """The signature check alone, with everything made ready before."""
    parts, algorithm, key = split_token(token), source.key.alg, source.key._private.public_key()
    message, signature = parts.signing_input, parts.signature
    if algorithm == "EdDSA":
        return lambda: key.verify(signature, message)
    digest = SHA256()
    if algorithm == "RS256":
        scheme = padding.PKCS1v15()
        return lambda: key.verify(signature, message, scheme, digest)
    signature = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    ecdsa = ec.ECDSA(digest)
    return lambda: key.verify(signature, message, ecdsa)


async def marks(contender: Contender, source: DevelopmentIssuer) -> str:
    """What the contender takes that it should not."""
    good = mint(source, contender.claims)
    head, payload, signature = good.split(".")
    wrong = {
        "e": mint(source, contender.claims, exp=None),
        "p": f"{head}.{payload}.{signature}{'=' * (-len(signature) % 4)}",
        "b": f"{head}.{payload}.{signature[:8]}!!!!{signature[8:]}",
    }
    return " ".join([mark for mark, token in wrong.items() if await accepts(contender, token)])


async def accepts(contender: Contender, token: str) -> bool:
    """Whether the token is taken; an exception that escapes is a refusal."""
    try:
        return await contender.verify(token)
    except Exception:
        return False


async def compare(algorithm: str, *, windows: int) -> tuple[dict[str, float], dict[str, list[float]], dict[str, str]]:
    """Ratios to the bare check, µs, and marks, of all who have the algorithm."""
    with issuer(algorithm) as source:
        calls: dict[str, Callable[[], Any]] = {LIMIT: bare_check(source, mint(source))}
        marked = {}
        for name, kind in EVERYONE.items():
            contender = kind(source.url, algorithm)
            if algorithm not in contender.algorithms:
                continue
            await contender.start()
            token = mint(source, contender.claims)
            if not await contender.verify(token):
                raise RuntimeError(f"{name} refuses a good {algorithm} token")

            async def call(contender: Contender = contender, token: str = token) -> None:
                await contender.verify(token)

            calls[name] = call
            marked[name] = await marks(contender, source)
        await measure(calls, windows=5, block=25)
        spent = await measure(calls, windows=windows, block=25)
    return ratios(spent, LIMIT), spent, marked


def main() -> None:
    """Measures, and writes the results."""
    options = arguments(__doc__)
    logging.disable(logging.CRITICAL)
    ratio, marked, spent = {}, {}, {}
    for algorithm in TARGETS:
        ratio[algorithm], spent[algorithm], marks_of = asyncio.run(compare(algorithm, windows=2000 if options.full else 200))
        for name, mark in marks_of.items():
            marked[name] = " ".join(sorted({*marked.get(name, "").split(), *mark.split()}))
    names = [LIMIT, *EVERYONE]
    rows = [[name, *(ratio[algorithm].get(name) for algorithm in TARGETS), marked.get(name, "")] for name in names]
    rows.append(["target", *TARGETS.values(), ""])
    text = table(["times the bare check", *TARGETS, "takes"], rows)
    text += "\ne: a token without exp; p: padded base64; b: base64 with a foreign character.\n"
    middle = {
        algorithm: {name: sorted(values)[len(values) // 2] for name, values in spent[algorithm].items()} for algorithm in TARGETS
    }
    folder = write("verify", text, {"ratio": ratio, "median_us": middle, "takes": marked, "targets": TARGETS}, options)
    bars(folder / "verify.png", "Verifying a token, times the bare signature check", ratio)


if __name__ == "__main__":
    main()
