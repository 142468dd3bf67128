"""Base64url and JSON that have one reading. Texts that have none or two stand in `tests/support/bad_tokens.py`."""

import contextlib
import gc
import json
import math
import time

import pytest
from bad_tokens import BAD_JSON

from mcp_oauth2_deps.models import ReadOnlyDict
from mcp_oauth2_deps.protocol.encoding import (
    MAX_TOKEN_VALUES,
    MAX_VALUES,
    decode_base64url,
    parse_json_object,
    printable,
    quoted,
    read_only,
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
        pytest.param(b' \t\r\n{"a":1}', {"a": 1}, id="white space in front"),
        pytest.param(b'{"\\u0061":"\\u00e9"}', {"a": "\u00e9"}, id="escapes of PHP and Python"),
        pytest.param(
            b'{"iss":"https:\\/\\/auth.example.com\\/"}', {"iss": "https://auth.example.com/"}, id="escaped slashes of PHP"
        ),
        pytest.param(b'{"a":"x\\u0026y\\u003c"}', {"a": "x&y<"}, id="escapes of Go and .NET"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}, id="a pair of surrogates"),
        pytest.param(b'{"a":"\\"","b":"\\\\","c":"\\\\\\""}', {"a": '"', "b": "\\", "c": '\\"'}, id="marks and backslashes"),
        pytest.param(b'{"a\\"b":{"c:d":":"}, "e":","}', {'a"b': {"c:d": ":"}, "e": ","}, id="punctuation in strings"),
        pytest.param('{"\u00e4":"\u00e9"}'.encode(), {"\u00e4": "\u00e9"}, id="UTF-8"),
        pytest.param(b'{"a":1e3,"b":1.50}', {"a": 1000.0, "b": 1.5}, id="other spellings of numbers"),
        pytest.param(b'{"exp":1.7e9,"iat":1.7E+9}', {"exp": 1.7e9, "iat": 1.7e9}, id="dates as fractions"),
        pytest.param(b'{"a":1e-999,"b":-0,"c":-0.0}', {"a": 0.0, "b": 0, "c": -0.0}, id="numbers next to zero"),
        pytest.param(b'{"a":18446744073709551615, "b":-1e308}', {"a": 2**64 - 1, "b": -1e308}, id="numbers beyond 64 bits"),
        pytest.param(b'{"Infinity":"NaN", "a":"Infinity"}', {"Infinity": "NaN", "a": "Infinity"}, id="constants as texts"),
        pytest.param(b'{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}, id="same name in two objects"),
        pytest.param(b'{"a":[{"x":1}, {"x":1}]}', {"a": [{"x": 1}, {"x": 1}]}, id="same name in two objects of a list"),
        pytest.param(b'{"a":1,"A":2, "a ":3}', {"a": 1, "A": 2, "a ": 3}, id="names that differ a little"),
    ],
)
def test_a_json_object_is_read_however_it_is_spelled(data, value):
    assert json.dumps(parse_json_object(data)) == json.dumps(value)


@pytest.mark.parametrize("data", [b"", b"[]", b'"text"', b"null", b"1", b'{"a":1', b'{"a":1}{}', b"{'a':1}"], ids=repr)
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(ValueError):
        parse_json_object(data)


@pytest.mark.parametrize(
    "good", [b'{"alg":"ES256"}', b'{"sub": "a:b", "exp": 1.5, "roles": ["\\u00e9\\"", {"a": {}}]}'], ids=repr
)
@pytest.mark.parametrize("change", BAD_JSON.values(), ids=list(BAD_JSON))
def test_json_with_no_reading_or_two_is_refused(change, good):
    assert parse_json_object(good, max_values=MAX_TOKEN_VALUES)
    with pytest.raises(ValueError):
        parse_json_object(change(good), max_values=MAX_TOKEN_VALUES)


@pytest.mark.parametrize("text", [text for text in BAD_JSON if "twice" in text])
def test_a_repeated_name_is_refused_for_that(text):
    with pytest.raises(ValueError, match="repeated"):
        parse_json_object(BAD_JSON[text](b'{"a": "b"}'))


@pytest.mark.parametrize("text", [text for text in BAD_JSON if "beyond doubles" in text])
def test_a_number_beyond_doubles_is_refused_for_that(text):
    with pytest.raises(ValueError, match="out of range"):
        parse_json_object(BAD_JSON[text](b'{"a": "b"}'))


def test_no_value_is_kept_after_it_was_read():
    once, again = (parse_json_object(b'{"sub":"somebody"}') for _ in range(2))
    assert once == again
    assert once["sub"] is not again["sub"]


# A member of the outer object counts one for its colon, as the braces around it do; a list one for its bracket; a comma one.
_FILLINGS = {
    "lists": ("[]", 2),
    "objects": ("{}", 2),
    "numbers": ("1", 1),
    "strings": ('""', 1),
    "strings that look like more": ('"[,{:\\"[,\\\\"', 1),
    "fractions": ("1.5e-7", 1),
    "nested lists": ("[[[]]]", 4),
    "nested objects": ('{"":{}}', 4),
    "integers of 18 digits": ("9" * 18, 1),
    "integers of 19 digits": ("9" * 19, 5),
    "integers of 38 digits": ("1" * 38, 9),
}


@pytest.mark.parametrize(("filling", "weight"), _FILLINGS.values(), ids=list(_FILLINGS))
@pytest.mark.parametrize("limit", [MAX_TOKEN_VALUES, 10_000])
def test_a_text_holds_so_many_values_and_no_more(filling, weight, limit):
    def text(count):
        return ('{"a":"' + "x" * limit + '","b":[' + ",".join([filling] * count) + "]}").encode()

    # Two colons, a comma, a brace and a bracket; the first filling has no comma.
    most = (limit - 5 + 1) // weight
    assert len(parse_json_object(text(most), max_values=limit)["b"]) == most
    with pytest.raises(ValueError, match="too many values"):
        parse_json_object(text(most + 1), max_values=limit)


@pytest.mark.parametrize("limit", [MAX_TOKEN_VALUES, 10_000])
def test_names_count_as_values_do(limit):
    def text(count):
        return ('{"a":"' + "x" * limit + '",' + ",".join(f'"{number}":0' for number in range(count)) + "}").encode()

    most = (limit - 2) // 2
    assert len(parse_json_object(text(most), max_values=limit)) == most + 1
    with pytest.raises(ValueError, match="too many values"):
        parse_json_object(text(most + 1), max_values=limit)


def test_a_large_document_is_bounded_unless_it_says_otherwise():
    text = '{"a":["' + "x" * MAX_VALUES + '"%s]}'
    assert parse_json_object((text % (",0" * (MAX_VALUES - 3))).encode())
    with pytest.raises(ValueError, match="too many values"):
        parse_json_object((text % (",0" * (MAX_VALUES - 2))).encode())


@pytest.mark.parametrize(
    "text",
    [b"[" * 60_000, b"a,b," * 30_000, b'\\"' * 60_000, b"\\\\" * 60_000, b'\\\\\\"[' * 60_000, b"9" * 60_000],
    ids=["brackets", "commas", "quotes", "backslashes", "mixed", "digits"],
)
def test_what_stands_in_a_text_does_not_count(text):
    data = b'{"a":"' + text + b'","b":"' + b"x" * 70_000 + b'"}'
    assert set(parse_json_object(data, max_values=10)) == {"a", "b"}


def _seconds(text, max_values):
    """What the quickest of five readings takes, without what else this machine does."""
    spent = []
    for _ in range(5):
        started = time.thread_time()
        with contextlib.suppress(ValueError):
            parse_json_object(text, max_values=max_values)
        spent.append(time.thread_time() - started)
    return min(spent)


_COSTLY = [*("1e9", "9" * 19, "9" * 4000, "1e-300", "[]", "{}", "[" * 150 + "]" * 150, '{"":{}}', '{"a":1,"a":2}', '""')]
_COSTLY += [
    '"\\u00e9"',
    '"\\""',
    '"' + '\\"' * 200 + '"',
    '"' + "\\\\" * 200 + '"',
    '"\\n"',
    "1 ",
    " " * 99 + "1",
    "\u6f22",
    "[" * 190,
]


@pytest.mark.parametrize(
    ("size", "max_values", "bound"), [(12_000, MAX_TOKEN_VALUES, 50), (64_000, MAX_VALUES, 100)], ids=["token", "message"]
)
@pytest.mark.parametrize("filling", _COSTLY, ids=lambda filling: filling[:20])
@pytest.mark.parametrize("named", [False, True], ids=["list", "members"])
def test_no_filling_costs_much_more_than_plain_text(size, max_values, bound, filling, named):
    """A second parser took a hundred times as long for numbers with an exponent. Now the costliest token takes 20 times as long."""
    plain = json.dumps({"a": "x" * size}).encode()
    count = size // (len(filling) + (9 if named else 1))
    text = ",".join(f'"n{number:04}":{filling}' if named else filling for number in range(count))
    text = "{" + text + " }" if named else '{"a": [' + text + "]}"
    assert _seconds(text.encode(), max_values) < bound * _seconds(plain, max_values)


@pytest.mark.parametrize(
    "text", [b'{"a": [' + b"[[]]," * 5_000 + b"[]]}", b'{"a": [' + b"[[]]," * 5_000], ids=["good", "cut off"]
)
@pytest.mark.parametrize("collecting", [True, False])
def test_reading_thousands_of_lists_starts_no_collection_and_leaves_the_collector_as_it_was(text, collecting):
    started = []

    def note(phase, info):
        started.append(info["generation"])

    was = gc.isenabled()
    gc.collect()
    (gc.enable if collecting else gc.disable)()
    gc.callbacks.append(note)
    try:
        with contextlib.suppress(ValueError):
            parse_json_object(text)
        assert gc.isenabled() == collecting
    finally:
        gc.callbacks.remove(note)
        (gc.enable if was else gc.disable)()
    # What was put off is one look at the young objects, begun and ended.
    assert started in ([], [0, 0])


def test_a_copy_is_read_only_in_depth():
    claims = {"a": 1, "b": [1, "x", [2, {"c": 3}], []], "d": {"e": {"f": []}}, "g": 0.5, "h": None, "i": {}}
    copy = read_only(claims)
    assert copy == {"a": 1, "b": (1, "x", (2, {"c": 3}), ()), "d": {"e": {"f": ()}}, "g": 0.5, "h": None, "i": {}}
    objects = [copy, copy["b"][2][1], copy["d"], copy["d"]["e"], copy["i"]]
    assert {type(member) for member in objects} == {ReadOnlyDict}
    assert type(claims["b"]) is list
    assert math.isclose(claims["g"], 0.5)


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alice", "alice"),
        ("https://a.example/x?y=1", "https://a.example/x?y=1"),
        ("a b", '"a b"'),
        ("a\nrefused", '"a\\nrefused"'),
        ('a"b', '"a\\"b"'),
        ("é", '"\\u00e9"'),
        ("a" * 401, "a" * 400 + "..."),
    ],
)
def test_a_text_in_a_line_of_a_log_stays_one_fact_on_one_line(text, shown):
    assert quoted(text) == shown
