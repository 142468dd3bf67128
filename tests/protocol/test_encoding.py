import contextlib
import functools
import json
import sys

import pytest

from mcp_oauth2_deps.protocol.encoding import (
    MOST_CONTAINERS,
    _refuse_ambiguity,
    decode_base64url,
    parse_claims,
    parse_json_object,
    printable,
)


@pytest.mark.parametrize("data", [bytes(range(length)) for length in range(9)] + [b"\xfb\xff\xfe", b"\xff" * 32])
def test_canonical_base64url_reads_back_every_length(data, base64url):
    assert decode_base64url(base64url(data).encode()) == data


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"YQ==", id="padding"),
        pytest.param(b"YWE=", id="one padding character"),
        pytest.param(b"+_-_", id="plus of the standard alphabet"),
        pytest.param(b"/_-_", id="slash of the standard alphabet"),
        pytest.param(b"YWJj\n", id="line feed at the end"),
        pytest.param(b"YW\nJj", id="line feed inside"),
        pytest.param(b"YW Jj", id="space inside"),
        pytest.param(b"YWJ\xe9", id="no ASCII"),
        pytest.param(b"YW!j", id="character of no alphabet"),
        pytest.param(b"YWJjY", id="impossible length"),
        pytest.param(b"A", id="single character"),
        pytest.param(b"YR", id="four spare bits not zero"),
        pytest.param(b"YWF", id="two spare bits not zero"),
    ],
)
def test_base64url_with_a_second_spelling_is_refused(segment):
    with pytest.raises(ValueError):
        decode_base64url(segment)


def test_exactly_one_last_character_in_sixteen_or_four_is_canonical():
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def is_read(segment):
        try:
            decode_base64url(segment)
        except ValueError:
            return False
        return True

    assert sum(is_read(b"A" + bytes([last])) for last in alphabet) == 4
    assert sum(is_read(b"AA" + bytes([last])) for last in alphabet) == 16
    assert sum(is_read(b"AAA" + bytes([last])) for last in alphabet) == 64


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b'{"a":1,"b":[true,null,"x"]}', {"a": 1, "b": [True, None, "x"]}, id="compact"),
        pytest.param(b'{ "a" : 1 }\n', {"a": 1}, id="white space"),
        pytest.param(b'{"\\u0061":"\\u00e9"}', {"a": "é"}, id="escapes"),
        pytest.param('{"ä":"é"}'.encode(), {"ä": "é"}, id="UTF-8"),
        pytest.param(b'{"a":1e3,"b":1.50}', {"a": 1000.0, "b": 1.5}, id="other spellings of numbers"),
        pytest.param(b'{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}, id="same name in two objects"),
    ],
)
def test_a_json_object_is_read_however_it_is_spelled(data, value):
    assert parse_json_object(data) == value
    assert json.dumps(parse_claims(data)) == json.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"1", id="number"),
        pytest.param(b'{"a":1', id="unfinished"),
        pytest.param(b'{"a":1}{}', id="two values"),
        pytest.param(b'{"a":1,}', id="trailing comma"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"a":"\n"}', id="raw control character"),
        pytest.param(b'{"a":1,"a":1}', id="repeated with the same value"),
        pytest.param(b'{"a":1,"a":2}', id="repeated with another value"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="repeated by an escape"),
        pytest.param(b'{"a":[{"b":{"c":1,"c":2}}]}', id="repeated in the depth"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus Infinity"),
        pytest.param(b'{"a":1e999}', id="number beyond the float range"),
        pytest.param(b'{"a":-1e999}', id="number below the float range"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="integer of 5000 digits"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="objects nested 5000 deep"),
        pytest.param(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", id="lists nested 5000 deep"),
    ],
)
@pytest.mark.parametrize("parse", [parse_json_object, parse_claims])
def test_json_with_no_reading_or_two_is_refused(data, parse):
    with pytest.raises(ValueError):
        parse(data)


@pytest.mark.parametrize(
    "repeated",
    [
        b'{"a":"x","a":"y"}',
        b'{"a":"x","b":1,"a":1}',
        b'{"a":1,"a":["x"]}',
        b'{"a" :1,"a":2}',
        b'{"a":{"b":"x"},"a":{"b":"x"}}',
        b'{"a":[["x",{"b":1,"b":2}],"y"]}',
        b'{"a":"","":1,"":2}',
        b'{"a":1.5,"a":2.5}',
        b'{"a":1.5,"b":"x","b":"y"}',
    ],
    ids=repr,
)
def test_counting_strings_misses_no_repeated_name(repeated):
    with pytest.raises(ValueError, match="repeated"):
        parse_claims(repeated)


def test_no_value_is_kept_after_it_was_read():
    once, again = (parse_json_object(b'{"sub":"somebody"}') for _ in range(2))
    assert once == again
    assert once["sub"] is not again["sub"]


def test_nesting_beyond_the_stack_that_is_left_is_no_crash():
    # Only Python 3.11 counts the nesting of JSON against the limit of Python frames; later ones just read it.
    limit, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 100)
    try:
        with contextlib.suppress(ValueError):
            parse_json_object(b'{"a": ' + b"[" * 150 + b"]" * 150 + b"}")
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_the_second_parser_refuses_constants_too(constant):
    with pytest.raises(ValueError, match="is not JSON"):
        _refuse_ambiguity(b'{"a":' + constant + b"}")


LARGE = b'"' + b"x" * 70_000 + b'"'


@pytest.mark.parametrize(
    "many",
    [
        b"[" + b"[]," * 50_001 + b"[]]",
        b"[" + b"1," * 50_001 + b"1]",
        b"{" + b",".join(b'"%d":1' % n for n in range(50_001)) + b"}",
        b"[" + b",".join([b'""'] * 50_001) + b"]",
    ],
    ids=["lists", "numbers", "members", "strings"],
)
def test_a_large_document_with_too_many_values_is_refused(many):
    with pytest.raises(ValueError, match="too many values"):
        parse_json_object(b'{"a":' + LARGE + b',"b":' + many + b"}")


@pytest.mark.parametrize("container", [b"[]", b"{}"])
def test_a_token_holds_a_thousand_objects_and_lists_and_no_more(container):
    def nested(count):
        return b'{"a":[' + b",".join([container] * (count - 2)) + b"]}"

    for read in (parse_claims, functools.partial(parse_json_object, most_containers=MOST_CONTAINERS)):
        assert len(read(nested(MOST_CONTAINERS))["a"]) == MOST_CONTAINERS - 2
        with pytest.raises(ValueError, match="too many objects"):
            read(nested(MOST_CONTAINERS + 1))
    assert len(parse_json_object(nested(MOST_CONTAINERS + 1))["a"]) == MOST_CONTAINERS - 1


@pytest.mark.parametrize(
    "text",
    [b"[" * 60_000, b"a,b," * 30_000, b'\\"' * 60_000, b"\\\\" * 60_000, b'\\\\\\"[' * 60_000],
    ids=["brackets", "commas", "quotes", "backslashes", "mixed"],
)
def test_what_stands_in_a_text_does_not_count(text):
    assert set(parse_json_object(b'{"a":"' + text + b'","b":"' + b"x" * 70_000 + b'"}')) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key-1", "key-1"),
        ("a b", "a?b"),
        ("a\r\nb\x1b[0m", "a??b?[0m"),
        ("\u202eevil\u00e9", "?evil?"),
        ("x" * 161, "x" * 160),
    ],
)
def test_a_text_in_a_log_is_short_printable_ascii(text, shown):
    assert printable(text) == shown


def test_a_text_in_a_log_may_be_cut_shorter():
    assert printable("abc", 2) == "ab"
