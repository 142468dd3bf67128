"""What a request may cost, counted, not timed: passes over the token's bytes, signature checks, digests, suspensions."""

import inspect
import sys
from collections import Counter

import pytest
from starlette.requests import HTTPConnection

# The package decodes base64 by a pydantic validator. It parses JSON once, and writes the value back once to see that nothing was lost.
_BASE64 = {"a2b_base64", "validate_json"}
_PARSED = {"from_json", "loads"}
_WRITTEN = {"to_json", "dumps"}
_TYPES = {"validate_python"}
_DIGEST = {"sha256", "openssl_sha256"}
_COUNTED = {"base64": _BASE64, "parsed": _PARSED, "written": _WRITTEN, "types": _TYPES, "digest": _DIGEST}

# What the work takes now. Calls of Python functions are not counted: a helper that a reader is thankful for may cost one.
_UNCACHED = {
    "signature": 1,
    "base64": 2,
    "parsed": 1,
    "written": 1,
    "types": 1,
    "digest": 1,
    "coroutines": 3,
}
_CACHED = {"signature": 0, "base64": 0, "parsed": 0, "written": 0, "types": 0, "digest": 1, "coroutines": 2}

_ADVICE = """
A request now costs more {kind} than it may: {found}, and the bound is {bound}. Every request pays this.
 - Not meant? Look for a second parse, digest or copy, a coroutine called once more, or a thing made per request that could
   be made per key set or per route. The most frequent:
   {frequent}
 - Meant, because a check was added? Measure it (`uv run --group bench python tests/benchmarks/verify.py`), then raise the bound here.
"""


class Profile:
    """Counts what one call runs."""

    def __init__(self):
        self.counts = Counter()
        self.names = Counter()

    def __call__(self, frame, event, function):
        if event == "call":
            if frame.f_code.co_flags & inspect.CO_COROUTINE:
                self._see("coroutines", frame.f_code.co_qualname)
        elif event == "c_call":
            name = getattr(function, "__name__", "")
            for kind, names in _COUNTED.items():
                if name in names:
                    self._see(kind, name)
            if name == "verify" and type(getattr(function, "__self__", None)).__module__.startswith("cryptography."):
                self._see("signature", name)

    def _see(self, kind, name):
        self.counts[kind] += 1
        self.names[kind, name] += 1

    def frequent(self, kind):
        of_kind = Counter({name: count for (a_kind, name), count in self.names.items() if a_kind == kind})
        return ", ".join(f"{name} x {count}" for name, count in of_kind.most_common(12))


def profile(coroutine):
    """What the coroutine runs; it must end without waiting for anything."""
    counting = Profile()
    previous = sys.getprofile()
    sys.setprofile(counting)
    try:
        coroutine.send(None)
    except StopIteration:
        return counting
    finally:
        sys.setprofile(previous)
        coroutine.close()
    raise AssertionError("the request waited for the event loop although token, keys and settings were known")


def connection_with(token):
    return HTTPConnection({"type": "http", "headers": [(b"authorization", b"Bearer " + token.encode("ascii"))]})


def assert_within(counting, bounds):
    for kind, bound in bounds.items():
        found = counting.counts[kind]
        assert found <= bound, _ADVICE.format(kind=kind, found=found, bound=bound, frequent=counting.frequent(kind))


@pytest.mark.parametrize(("cache_size", "bounds"), [(0, _UNCACHED), (64, _CACHED)], ids=["uncached", "cached"])
async def test_a_request_costs_no_more_than_it_did(make_scheme, issuer, cache_size, bounds):
    auth = make_scheme(token_cache_size=cache_size)
    token = issuer.token(scopes={"a", "b"}, roles=["x"], tenant={"id": 1})
    scopes = ["a"]
    for _ in range(2):
        await auth.gate.admit(connection_with(token), scopes)
    counting = profile(auth.gate.admit(connection_with(token), scopes))
    assert_within(counting, bounds)


async def test_a_new_token_of_a_known_key_costs_one_signature_and_one_digest_more(make_scheme, issuer):
    auth, scopes = make_scheme(), ["a"]
    await auth.gate.admit(connection_with(issuer.token(scopes={"a"})), scopes)
    counting = profile(auth.gate.admit(connection_with(issuer.token(scopes={"a"})), scopes))
    assert_within(counting, _UNCACHED)
    assert counting.counts["signature"] == 1


async def test_the_counting_sees_what_it_counts(make_scheme, issuer):
    auth = make_scheme(token_cache_size=0)
    token = issuer.token(scopes={"a"})
    await auth.authenticator.verify(token)
    counting = profile(auth.authenticator.verify(token))
    assert all(counting.counts[kind] for kind in ("signature", "parsed", "written", "base64", "types", "coroutines"))
    with pytest.raises(AssertionError, match="costs more signature than it may: 1, and the bound is 0"):
        assert_within(counting, {"signature": 0})
