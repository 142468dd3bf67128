"""Strict base64url and strict JSON: every byte string has one reading or none. And text that a log may show.

What a decoded value means does not belong here.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Never

from pydantic_core import SchemaValidator, core_schema, from_json, to_json

from mcp_oauth2_deps.models import ReadOnlyDict

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Several times as fast as the decoder of the standard library.
_DECODER = SchemaValidator(core_schema.bytes_schema(strict=True), core_schema.CoreConfig(val_json_bytes="base64"))
# What is larger costs enough to parse that an event loop must not wait for it.
SMALL = 64 * 1024
# Larger documents are long because of their texts. Fifty thousand values cost tens of milliseconds, the four million that
# fit into as many bytes cost seconds.
_MAX_VALUES = 50_000
# An issuer needs some dozens of objects and lists in a token. What fits into one, six thousand, costs the memory and the
# garbage collection of a caller's choice before the signature is looked at.
MOST_CONTAINERS = 1000
_TEXT_ONLY = frozenset({str})
# Taken from a count of strings, so that it fits no text.
_FRACTION = 2**40
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
# Where the last character carries unused bits these must be zero, else several spellings decode alike.
_CANONICAL_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}


def decode_base64url(segment: bytes) -> bytes:
    """The bytes of unpadded, canonical base64url (RFC 7515 section 2).

    Raises:
        ValueError: padding, the standard alphabet, white space, an impossible length or non-zero spare bits.
    """
    spare = len(segment) % 4
    if spare and segment[-1] not in _CANONICAL_LAST.get(spare, ()):
        raise ValueError("not canonical base64url")
    # The decoder below knows other alphabets, padding and escapes too.
    if spare == 1 or segment.translate(None, _ALPHABET):
        raise ValueError("not base64url")
    decoded: bytes = _DECODER.validate_json(b'"' + segment + b'"')
    return decoded


def parse_json_object(data: bytes, *, most_containers: int | None = None) -> dict[str, Any]:
    """The members of a JSON object in UTF-8, each name once, every number finite.

    Args:
        data: the text.
        most_containers: how many objects and lists there may be; brackets in strings are counted too.

    Raises:
        ValueError: other JSON, no JSON, a repeated name at any depth, NaN or Infinity, or nesting or a number of values
            beyond reason.
    """
    value = _members(data, most_containers)
    _refuse_lost_members(data, value)
    return value


def parse_claims(data: bytes) -> ReadOnlyDict:
    """As `parse_json_object`, read-only in depth (lists are tuples), for the claims of a token.

    Raises:
        ValueError: as there.
    """
    value = _members(data, MOST_CONTAINERS)
    claims, strings = read_only(value)
    # A string has two quotation marks where none is escaped, and a lost member takes its name along: when all the text's
    # strings are there, all its members are. Counting that costs a third of writing the value back.
    if b"\\" in data or data.count(b'"') != 2 * strings:
        _refuse_lost_members(data, value)
    return claims


def _members(data: bytes, most_containers: int | None) -> dict[str, Any]:
    if most_containers is not None and data.count(b"[") + data.count(b"{") > most_containers:
        raise ValueError("too many objects and lists")
    if len(data) > SMALL and _count_values(data) > _MAX_VALUES:
        raise ValueError("too many values")
    # Left to itself the parser keeps values too, for the whole process, and so those of tokens that nobody has verified yet.
    value = from_json(data, allow_inf_nan=False, cache_strings="keys")
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def read_only(value: Mapping[Any, Any]) -> tuple[ReadOnlyDict, int]:
    """A copy of a parsed JSON object in which objects cannot be changed and lists are tuples, and how many strings it has.

    Names are counted among the strings. With a fractional number anywhere the count is far below zero.
    """
    copy = ReadOnlyDict(value)
    strings = len(value)
    for name, member in value.items():
        kind = type(member)
        if kind is str:
            strings += 1
        elif kind is list and _TEXT_ONLY.issuperset(map(type, member)):
            dict.__setitem__(copy, name, tuple(member))
            strings += len(member)
        elif kind is dict or kind is list:
            # A list is an object whose names are places.
            inner, inner_strings = read_only(member if kind is dict else dict(enumerate(member)))
            dict.__setitem__(copy, name, inner if kind is dict else tuple(inner.values()))
            strings += inner_strings if kind is dict else inner_strings - len(member)
        elif kind is float:
            strings -= _FRACTION
    return copy, strings


def printable(text: str, longest: int = 160) -> str:
    """The text as a log may show it: ASCII without spaces and control characters, and not all of a long one."""
    return _UNPRINTABLE.sub("?", text[:longest])


def _count_values(data: bytes) -> int:
    """At least as many as the values and names in this JSON, in a time that no content can stretch."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = plain.count(b'"')
    if quotes > 2 * _MAX_VALUES:
        return quotes
    # Every other piece stands outside of strings, whose text counts for nothing.
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b",", b":", b"[", b"{")))


def _refuse_lost_members(data: bytes, value: dict[str, Any]) -> None:
    # A value that writes itself back byte for byte has lost no member. Everything else (white space, escapes,
    # other spellings of numbers) is read again by a slower parser that sees each member.
    if to_json(value) != data:
        _refuse_ambiguity(data)


def _refuse_ambiguity(data: bytes) -> None:
    try:
        json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number
