"""Searches for the bad token that costs the event loop most, and for the worst message; a fuzzer whose reward is time.

    uv run python tests/benchmarks/worst_tokens.py [--seconds 60] [--kind token|message]

A candidate is a JSON object filled to the limit with some pieces in some proportion: numbers in many spellings, strings with and
without escapes, white space, names, nested and empty objects and lists, repeated members, and pieces of no JSON. The search
starts with each piece alone and goes on from the costliest ones found. What is measured is all that a caller can cause without a
signature: header and payload are decoded, read and judged, and a signature that is none is checked.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import OAuth2Error
from mcp_oauth2_deps.mcp.messages import MessageError, read_message
from mcp_oauth2_deps.protocol.encoding import PARSE_ON_LOOP_BYTES
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import base64url

RESOURCE = "https://api.example.com/mcp"
SHORT_NUMBERS = """
0 -0 1 10 -1 1e9 1E+9 1.5 0.1 1e-7 5e-324 1e308 1.7976931348623157e308 123456789.123456789 9223372036854775807 1e999
"""
NUMBERS = SHORT_NUMBERS.split()
NUMBERS += ["9" * length for length in (17, 18, 19, 20, 37, 100, 1000, 4300)] + ["0." + "1" * 700, "1" * 300 + ".5"]
STRINGS = [
    '""',
    '"a"',
    '"abc"',
    '"\\u00e9"',
    '"\\n"',
    '"\\""',
    '"\\\\"',
    '"\\ud83d\\ude00"',
    '"\u00e9"',
    '"\u6f22"',
    '"\U0001f600"',
    '":,[{"',
]
STRINGS += ['"' + text * 40 + '"' for text in ("x", "\\n", '\\"', "\\\\", "\\u0001", "\\u00e9", "\u00e9")]
CONTAINERS = [
    "[]",
    "{}",
    "[[]]",
    "[[],[]]",
    '{"":{}}',
    '{"a":1}',
    '{"a":1,"a":2}',
    "[" * 150 + "]" * 150,
    '{"":' * 150 + "1" + "}" * 150,
]
CONTAINERS += ["[" * 199, '{"":' * 199]
NO_JSON = ["NaN", "Infinity", "'a'", '"\\q"', '"\\ud800"', "01", "tru", '"', "\\", "\\\\", '\\"', "]", "}"]
VALUES = [*NUMBERS, *STRINGS, *CONTAINERS, "null", "true", "false", " 1", "\n\t 1 ", " " * 50 + "1"]
# Members: `#` is a number that never repeats.
MEMBERS = [
    '"#":0',
    '"":0',
    '"a":0',
    '"\\u00e9#":0',
    '"' + "n" * 70 + '#":0',
    '"#":[]',
    '"#":{}',
    '"#" : "x"',
    '"\\"#":1e9',
    '"#":"\\u00e9"',
]
GOOD_HEAD = '{"alg":"ES256","kid":"%s"'
GOOD_CLAIMS = '{"iss":"%s","aud":"https://api.example.com/mcp","exp":4102444800'

Candidate = tuple[str, ...]


def write(candidate: Candidate, size: int, start: str) -> bytes:
    """The text of an object that begins like this, filled up with the pieces in turn."""
    members = [piece for piece in candidate if piece in _MEMBERS]
    values = [piece for piece in candidate if piece not in _MEMBERS]
    parts, length, number = [start], len(start), 0
    for place, pieces, opening in ((0, values, ',"f":['), (1, members, "],")):
        until = size - 2 if place or not members else size // 2
        chunk = opening if place == 0 or pieces else "]"
        filling = []
        length += len(chunk.encode())
        while pieces and length < until:
            for piece in pieces:
                text = piece.replace("#", str(number)) if place else piece
                number += 1
                length += len(text.encode()) + 1
                if length < until:
                    filling.append(text)
        parts.append(chunk + ",".join(filling))
    return "".join((*parts, "}")).encode()


_MEMBERS = frozenset(MEMBERS)


def mutate(candidate: Candidate, chance: random.Random) -> Candidate:
    """The candidate with a piece more, less, or another."""
    pieces = list(candidate)
    match chance.randrange(3):
        case 0:
            pieces.append(chance.choice(_PIECES))
        case 1:
            pieces[chance.randrange(len(pieces))] = chance.choice(_PIECES)
        case _ if len(pieces) > 1:
            pieces.pop(chance.randrange(len(pieces)))
    return tuple(pieces[:6])


_PIECES = [*VALUES, *MEMBERS, *NO_JSON]


def search(cost: Callable[[Candidate, int], float], seconds: float, seed: int) -> list[tuple[float, Candidate]]:
    """The costliest candidates with their cost, the costliest first.

    Few repetitions while it searches, many for those that it found, because the machine may be busy with other things.
    """
    chance = random.Random(seed)
    found = {(piece,): cost((piece,), 5) for piece in _PIECES}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        best = sorted(found, key=found.__getitem__, reverse=True)[:12]
        candidate = mutate(chance.choice(best), chance)
        if candidate not in found:
            found[candidate] = cost(candidate, 5)
    costliest = sorted(found, key=found.__getitem__, reverse=True)[:20]
    return sorted(((cost(candidate, 100), candidate) for candidate in costliest), reverse=True)


def least(call: Callable[[], None], times: int) -> float:
    """Processor milliseconds of the quickest of so many calls: what the work costs, without what else the machine does."""
    spent = []
    for _ in range(times):
        started = time.thread_time()
        call()
        spent.append(time.thread_time() - started)
    return min(spent) * 1000


async def worst_tokens(seconds: float, seed: int) -> list[tuple[str, list[tuple[float, Candidate]]]]:
    """For a long payload, a long header, and both in halves."""
    with DevelopmentIssuer(algorithm="ES256", audience=RESOURCE).serve() as issuer:
        authenticator = Authenticator(OAuth2Settings(issuer=issuer.url, resource=RESOURCE, allow_insecure_http=True))
        await authenticator.verify(issuer.token())
        head, claims = GOOD_HEAD % issuer.key.kid, GOOD_CLAIMS % issuer.url
        signature = base64url(bytes(64))
        room = (MAX_TOKEN_BYTES - len(signature) - 2) * 3 // 4

        def judged(header: bytes, payload: bytes, times: int) -> float:
            token = f"{base64url(header)}.{base64url(payload)}.{signature}"

            def call() -> None:
                with suppress(OAuth2Error, StopIteration):
                    authenticator.verify(token).send(None)

            return least(call, times)

        short_header, short_claims = (head + "}").encode(), (claims + "}").encode()
        long_payload, long_header = room - len(short_header) - 2, room - len(short_claims) - 2
        return [
            ("payload", search(lambda c, times: judged(short_header, write(c, long_payload, claims), times), seconds, seed)),
            ("header", search(lambda c, times: judged(write(c, long_header, head), short_claims, times), seconds, seed)),
            (
                "both",
                search(lambda c, times: judged(write(c, room // 2, head), write(c, room // 2, claims), times), seconds, seed),
            ),
        ]


def worst_messages(seconds: float, seed: int) -> list[tuple[str, list[tuple[float, Candidate]]]]:
    """For a message as long as the event loop reads by itself."""

    def read(candidate: Candidate, times: int) -> float:
        body = write(candidate, PARSE_ON_LOOP_BYTES, '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}')

        def call() -> None:
            with suppress(MessageError):
                read_message(body)

        return least(call, times)

    return [("message", search(read, seconds, seed))]


def main() -> None:
    """Searches, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=["token", "message"])
    options = parser.parse_args()
    found = []
    if options.kind != "message":
        found += asyncio.run(worst_tokens(options.seconds, options.seed))
    if options.kind != "token":
        found += worst_messages(options.seconds, options.seed)
    for place, candidates in found:
        print(place)
        for cost, candidate in candidates[:8]:
            print(f"  {cost:.3f} ms  {' '.join(piece if len(piece) < 30 else piece[:27] + '...' for piece in candidate)}")


if __name__ == "__main__":
    main()
