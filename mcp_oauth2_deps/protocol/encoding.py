"""Strict base64url and strict JSON: every byte string has one reading or none. And text that a log may show.

What a decoded value means does not belong here.
"""

import gc
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from pydantic_core import SchemaValidator, core_schema, from_json, to_json

from mcp_oauth2_deps.models import ReadOnlyDict

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Several times as fast as the decoder of the standard library.
_DECODER = SchemaValidator(core_schema.bytes_schema(strict=True), core_schema.CoreConfig(val_json_bytes="base64"))
PARSE_ON_LOOP_BYTES = 32 * 1024
"""The event loop may parse a JSON text up to this long by itself, which takes up to four milliseconds; a longer one is parsed
in a thread."""
MAX_VALUES = 50_000
"""How many values and names a JSON text may hold. A legitimate large text is long because of its strings."""
MAX_TOKEN_VALUES = 1_000
"""How many values and names the payload of a token may hold. Real tokens hold some dozens; 16 KiB could hold 6,000, which an
attacker could make us allocate before the signature is checked."""
MAX_HEADER_VALUES = 200
"""The same for the header of a token."""
# What a run of nineteen digits costs to read and to write, in ordinary values: integers beyond 64 bits are slow.
_LONG_NUMBER_VALUES = 4
_LONG_NUMBER = b"0" * 19
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_CONTAINERS = frozenset({dict, list})
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
# Neither a quotation mark nor a backslash, so that nothing plain looks like something quoted.
_PLAIN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# A shorter text holds too few objects and lists to start a garbage collection.
_FEW_BYTES = 2_000
# Where the last character carries unused bits these must be zero, else several spellings decode alike.
_CANONICAL_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}


def decode_base64url(segment: bytes) -> bytes:
    """The bytes of unpadded, canonical base64url (RFC 7515 section 2).

    Raises:
        ValueError: padding, the standard alphabet, white space, an impossible length or non-zero spare bits.

    Example:
        >>> decode_base64url(b"e30")
        b'{}'
    """
    spare = len(segment) % 4
    if spare and segment[-1] not in _CANONICAL_LAST.get(spare, ()):
        raise ValueError("not canonical base64url")
    # The decoder below knows other alphabets, padding and escapes too.
    if spare == 1 or segment.translate(None, _ALPHABET):
        raise ValueError("not base64url")
    decoded: bytes = _DECODER.validate_json(b'"' + segment + b'"')
    return decoded


def encode_base64url(data: bytes) -> str:
    """Unpadded base64url (RFC 7515 section 2).

    Example:
        >>> encode_base64url(b"{}")
        'e30'
    """
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def text_or_none(value: object) -> str | None:
    """The value if it is a string; what a token says may have any type."""
    return value if isinstance(value, str) else None


def parse_json_object(data: bytes, *, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """The members of a JSON object in UTF-8, each name once, every number finite.

    Takes time in proportion to the length of the text, and no text that passes the bound on values takes much more than
    another one of its length.

    Args:
        data: the text.
        max_values: how many values and names there may be. A number counts for more from its nineteenth digit on.

    Raises:
        ValueError: other JSON, no JSON, a repeated name at any depth, NaN, Infinity or a number beyond the range of floats,
            nesting beyond 200 levels, or too many values.

    Example:
        >>> parse_json_object(b'{"a": [1, true]}')
        {'a': [1, True]}
    """
    # A value takes at least one byte.
    outside = _without_strings(data, max_values) if len(data) > max_values else None
    if outside is not None and _count_values(outside) > max_values:
        raise ValueError("too many values")
    value = _parse(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    written = to_json(value, inf_nan_mode="constants")
    # Most texts have no white space and no needless escapes. These are written back byte for byte and have lost nothing.
    if written != data:
        _verify_nothing_lost(outside or _without_strings(data), _without_strings(written))
    return value


def _parse(data: bytes) -> Any:
    """The value of a JSON text, in which of repeated members the last one counts.

    Python 3.11 may collect garbage at every allocation. Reading thousands of nested lists would then start, time and again, a
    collection of all objects of the process, which stops the event loop for tens of milliseconds. So collections wait until
    the text is read, as they do in later versions.
    """
    pausing = len(data) > _FEW_BYTES and gc.isenabled()
    if pausing:
        gc.disable()
    try:
        # By default the parser keeps strings for the whole process, and so those of tokens that nobody has verified yet.
        return from_json(data, allow_inf_nan=False, cache_strings="keys")
    finally:
        if pausing:
            gc.enable()


def read_only(members: Mapping[str, Any]) -> ReadOnlyDict:
    """A copy of a parsed JSON object in which objects cannot be changed and lists are tuples, at any depth."""
    copy = ReadOnlyDict(members)
    for name, member in members.items():
        if type(member) in _CONTAINERS:
            dict.__setitem__(copy, name, _read_only_container(member))
    return copy


def _read_only_container(value: dict[str, Any] | list[Any]) -> ReadOnlyDict | tuple[Any, ...]:
    if isinstance(value, dict):
        return read_only(value)
    return tuple([_read_only_container(member) if type(member) in _CONTAINERS else member for member in value])


def printable(text: str, longest: int = 160) -> str:
    """The text as a log may show it: ASCII without spaces and control characters, and not all of a long one."""
    return _UNPRINTABLE.sub("?", text[:longest])


def quoted(text: str, longest: int = 400) -> str:
    """The text as a value in a line of a log: as it is where that is plain ASCII without spaces, else as a JSON string.

    A line break, a quotation mark or a space in it can neither begin another line nor be taken for another fact.
    """
    shown = text if len(text) <= longest else f"{text[:longest]}..."
    return shown if _PLAIN.fullmatch(shown) else json.dumps(shown)


def _without_strings(data: bytes, max_strings: int | None = None) -> bytes:
    """What stands outside of the strings of a JSON text: punctuation, numbers, `true`, `false`, `null`, white space.

    Of a text that is no JSON, this is right up to the place where a parser gives up.

    Raises:
        ValueError: there are more strings than that. Dividing a text at millions of quotation marks would take long.
    """
    if b"\\" in data:
        # Without escaped backslashes, then without escaped quotation marks: each mark that is left begins or ends a string.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if max_strings is not None and data.count(b'"') > 2 * max_strings:
        raise ValueError("too many values")
    # Every other piece stands outside.
    return b"".join(data.split(b'"')[::2])


def _count_values(outside: bytes) -> int:
    """At least as many as the values and names in a JSON text, given what stands outside of its strings."""
    long_numbers = outside.translate(_DIGITS_AS_ZEROS).count(_LONG_NUMBER)
    return sum(map(outside.count, (b",", b":", b"[", b"{"))) + _LONG_NUMBER_VALUES * long_numbers


def _verify_nothing_lost(outside: bytes, written: bytes) -> None:
    """Guarantees that the parser dropped no member and read no number as infinite.

    Of members with the same name the parser keeps the last one. Another parser may keep the first, and the two would read
    different claims. Outside of strings a JSON text has one colon for each member, and the value that was written back has
    one for each member that was kept: as many as the text, or a member is lost.

    Args:
        outside: what stands outside of the strings of the text.
        written: what stands outside of the strings of the value, written back.
    """
    if written.count(b":") != outside.count(b":"):
        raise ValueError("a member name is repeated")
    if b"Infinity" in written:
        raise ValueError("a number is out of range")
