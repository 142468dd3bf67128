"""URIs and rules in one form: what is the same for a rule, what is read in several ways, and what a template may serve."""

import pytest

from mcp_oauth2_deps.mcp import uri_patterns
from mcp_oauth2_deps.mcp.uri_patterns import PatternMemory, UriMap, UriPattern, moved
from mcp_oauth2_deps.mcp.uris import read_uri


def bases(uri):
    return {reading.base for reading in read_uri(uri).readings}


def fits(rule, uri):
    pattern, readings = UriPattern.of_rule(rule), read_uri(uri).readings
    return bool(readings) and all(map(pattern.fits, readings))


SAME = {
    "scheme in capitals": ("FILE:///a", "file:///a"),
    "scheme without slashes in capitals": ("URN:a", "urn:a"),
    "host in capitals": ("d://Host/a", "d://host/a"),
    "usual port": ("https://h:443/a", "https://h/a"),
    "usual port with zeros": ("https://h:0443/a", "https://h/a"),
    "empty port": ("d://h:/a", "d://h/a"),
    "usual port of http": ("http://h:80/a", "http://h/a"),
    "host of other letters": ("https://b\u00fccher.example/a", "https://xn--bcher-kva.example/a"),
    "host of other letters in capitals": ("https://B\u00dcCHER.example/a", "https://xn--bcher-kva.example/a"),
    "host of wide letters": ("https://\uff48/a", "https://h/a"),
    "encoded host": ("https://%68/a", "https://h/a"),
    "no path": ("d://h", "d://h/"),
    "no path but a query": ("d://h?x=1", "d://h/?x=1"),
    "dot segments": ("d://h/a/../b/./c", "d://h/b/c"),
    "encoded dot segments": ("d://h/a/%2E%2e/b", "d://h/b"),
    "dots above the root": ("d://h/../../b", "d://h/b"),
    "dots at the end": ("d://h/a/b/..", "d://h/a/"),
    "plain letters encoded": ("d://h/%61%2D%7E", "d://h/a-~"),
    "digits of an escape": ("d://h/%c3%a9", "d://h/%C3%A9"),
    "letters beyond ASCII": ("d://h/\u00e9", "d://h/%C3%A9"),
    "a space": ("d://h/a b", "d://h/a%20b"),
    "braces": ("d://h/{a}", "d://h/%7Ba%7D"),
    "a stray percent sign": ("d://h/100%", "d://h/100%25"),
    "order of the query": ("d://h/a?y=2&x=1", "d://h/a?x=1&y=2"),
    "a fragment": ("d://h/a#f", "d://h/a"),
    "a fragment and a query": ("d://h/a?x=1#f?y", "d://h/a?x=1"),
    "white space around": (" d://h/a ", "d://h/a"),
}


@pytest.mark.parametrize(("written", "canonical"), SAME.values(), ids=list(SAME))
def test_a_rule_in_another_spelling_is_for_the_same_uri(written, canonical):
    assert fits(written, canonical)
    assert fits(canonical, canonical)


OTHER = {
    "another letter case in the path": ("d://h/A", "d://h/a"),
    "another port": ("https://h:444/a", "https://h/a"),
    "the usual port of another scheme": ("http://h:443/a", "http://h/a"),
    "a user": ("d://u@h/a", "d://h/a"),
    "a longer path": ("d://h/a", "d://h/a/b"),
    "a query that a rule names": ("d://h/a?x=1", "d://h/a"),
    "an encoded slash": ("d://h/a%2Fb", "d://h/a/b"),
    "a slash for an encoded one": ("d://h/a/b", "d://h/a%2Fb"),
    "an opaque path with dots": ("urn:a/../b", "urn:b"),
    "a number that is no port": ("d://[::1]/a", "d://[::]/a"),
}


@pytest.mark.parametrize(("written", "other"), OTHER.values(), ids=list(OTHER))
def test_a_rule_is_not_for_another_uri(written, other):
    assert not fits(written, other)


@pytest.mark.parametrize("uri", ["d://h/a", "file:///a/b.c", "a+b://x-y.z/~!$&'()*+,;=:@_-/b"])
def test_most_uris_have_one_reading(uri):
    assert bases(uri) == {uri}
    assert len(read_uri(uri).readings) == 2


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("d://h/a%2Fb", {"d://h/a%2Fb", "d://h/a/b"}),
        ("d://h/a%2562", {"d://h/a%2562", "d://h/ab"}),
        ("d://h/a%252562", {"d://h/a%252562", "d://h/ab"}),
        ("d://h/a/../b", {"d://h/a/../b", "d://h/b"}),
        ("d://h/a//b", {"d://h/a//b", "d://h/a/b"}),
        ("d://h//../b", {"d://h//../b", "d://h/b"}),
        ("d://h/a\\b", {"d://h/a%5Cb", "d://h/a\\b", "d://h/a/b"}),
        ("d:\\\\h\\a", {"d:%5C%5Ch%5Ca", "d:\\\\h\\a", "d://h/a"}),
        ("d://h/a%3Fb", {"d://h/a%3Fb", "d://h/a"}),
        ("d://h/a?b", {"d://h/a"}),
        ("d://h/a?b/c", {"d://h/a", "d://h/a?b/c"}),
        ("d://h/a?b\\c", {"d://h/a", "d://h/a?b\\c", "d://h/a?b/c"}),
        ("d://h/a#b", {"d://h/a", "d://h/a#b"}),
        ("d://h/a%23b", {"d://h/a%23b", "d://h/a", "d://h/a#b"}),
        ("d:\\\\h", {"d:%5C%5Ch", "d:\\\\h", "d://h/"}),
        ("urn:a\\b", {"urn:a%5Cb", "urn:a\\b"}),
        ("no scheme", {"no%20scheme", "no scheme"}),
        ("://h", {"://h/"}),
        ("d://h/x\\y/../c", {"d://h/x%5Cy/../c", "d://h/c", "d://h/x\\y/../c", "d://h/x/c"}),
        ("d://h/\ud800", {"d://h/%ED%A0%80", "d://h/\ud800"}),
    ],
)
def test_a_uri_that_programs_read_differently_has_a_reading_for_each(uri, read):
    assert bases(uri) == read


@pytest.mark.parametrize(
    ("uri", "also"), [("d://h/a/", {"d://h/a"}), ("d://h/a%2F", {"d://h/a"}), ("d://h/", {"d://h"}), ("d://h/a", set())]
)
def test_a_slash_at_the_end_may_be_dropped(uri, also):
    assert {reading.base for reading in read_uri(uri).also} == also


REPAIRED = [
    "d://h/a\tb",
    "d://h/a\n",
    "d://h/\x00",
    "d://h/\x7f",
    "http:h/a",
    "http:/h/a",
    "http:///h/a",
    "http:\\\\h\\a",
    "http://h\\a",
    "http:///",
    "d:/a/../b",
    "d:/a//b",
    "file:///C:/../a",
    "file://u@h/a",
    "file://C:/a",
    "https://h\u00ad/a",
    "https://h%C2%AD/a",
    "https://h\u200d/a",
    "https://stra\u00dfe.example/a",
    "https://h\u3002example/a",
    "https://\u3164h/a",
    "d://@h/a",
    "d://u:@h/a",
    "d://u:p@h/a",
    "d://a@b@h/a",
    "d://h%40i/a",
    "d://h:1:2/a",
    "d://[::1/a",
    "d://[:::1]/a",
    "d://h:\u0661/a",
    "http://2130706433/",
    "http://127.1/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://h.1/",
    "d://xn--a-\u00e9/b",
    "d://xn--abc-/b",
    "d://xn--!/b",
    "d://xn--" + "a" * 80 + "/b",
]


@pytest.mark.parametrize("uri", ["d://h/%2525252561", "d://%25252525h/", *REPAIRED])
def test_what_is_encoded_too_often_or_repaired_by_some_has_no_reading(uri):
    assert read_uri(uri).readings == ()
    assert not fits("d://h/*", uri)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1/a", "file://localhost/a", "d://2130706433/a", "ssh://git@h/a", "d://[0:0::1]:2/a"]
)
def test_what_stands_in_one_form_is_read(uri):
    assert fits(uri, uri)


@pytest.mark.parametrize(
    ("rule", "query", "certain"),
    [
        ("zone=secret", "zone=secret", True),
        ("zone=secret", "zone=secret&", True),
        ("zone=secret", "&zone=%73ecret", True),
        ("zone=secret", "%7Aone=secret", False),
        ("zone=secret", "zone=secret&x=1", False),
        ("zone=secret", "zone=secret&zone=public", False),
        ("zone=secret", "zone=public&zone=secret", False),
        ("zone=secret", "x=1;zone=secret", False),
        ("zone=secret", "zone=public,secret", False),
        ("zone=secret", "zone=secret&zone=secret", True),
        ("zone=secret", "zone=public", False),
        ("zone=secret", "x=secret", False),
        ("zone=secret", "", False),
        ("zone=my%20secret", "zone=my+secret", False),
        ("zone=my+secret", "zone=my%20secret", False),
        ("zone=my+secret", "zone=my+secret", True),
        ("zone=a%26b", "zone=a%26b", True),
        ("zone", "zone=", True),
        ("a=1&b=2", "b=2&a=1", True),
        ("a=1&b=2", "a=1", False),
        ("zone=sec*", "zone=secret", True),
        ("zone=sec*", "zone=x&y=secret", False),
        ("zone=*t", "zone=secret&x=1", False),
        ("zone=secret", "&".join(["x"] * 200), False),
    ],
)
def test_a_query_is_read_as_names_with_values(rule, query, certain):
    pattern, readings = UriPattern.of_rule(f"d://h/a?{rule}"), read_uri(f"d://h/a?{query}").readings
    assert any(map(pattern.fits, readings)) == bool(query)
    assert all(map(pattern.covers, readings)) == certain


@pytest.mark.parametrize("rule", ["d://h/a?*", "d://h/a?z*=1", "d://h/a?x=1&*", "d://h/a?x=1;*=2"])
def test_a_star_in_a_query_stands_in_a_value(rule):
    with pytest.raises(ValueError, match="name="):
        UriPattern.of_rule(rule)


@pytest.mark.parametrize("rule", [*REPAIRED])
def test_a_rule_for_what_some_repair_is_refused(rule):
    with pytest.raises(ValueError, match="the rule for"):
        UriPattern.of_rule(rule)


def test_a_rule_for_a_template_with_a_query_is_for_that_template():
    for template in ("d://h/a{?zone}", "d://h/{x*}{?a,b*}"):
        assert fits(template, template)


@pytest.mark.parametrize("rule", ["d://h/*/../b", "d://h/*/%2e/b", "d://h/a%00", "d://h/\x01", "d://h/%2525252561", "d://h/*/.."])
def test_a_rule_that_could_be_read_in_two_ways_is_refused(rule):
    with pytest.raises(ValueError, match="the rule for"):
        UriPattern.of_rule(rule)


@pytest.mark.parametrize(
    ("rule", "fitting", "foreign"),
    [
        ("*", ["d://h/a", "urn:a", "d://h?x"], []),
        ("d://*", ["d://h/a", "d://h", "D://h?x"], ["e://h/a"]),
        ("https://*.example.com/*", ["https://a.Example.com:443/b"], ["https://example.com/b", "https://a.example.org/b"]),
        ("d://h/a*c", ["d://h/ac", "d://h/a/b/c", "d://h/aXc?q"], ["d://h/ab", "d://h/a"]),
        ("d://h/a?x=*&y=1", ["d://h/a?y=1&x=2", "d://h/a?x=2"], ["d://h/a", "d://h/b?x=2&y=1"]),
        ("d://h/%2A*", ["d://h/%2Ab"], ["d://h/*b", "d://h/b"]),
    ],
)
def test_a_star_stands_for_any_characters_of_a_uri(rule, fitting, foreign):
    assert [uri for uri in (*fitting, *foreign) if fits(rule, uri)] == fitting


@pytest.mark.parametrize(
    ("template", "served", "others"),
    [
        ("d://h/{x}", ["d://h/a", "d://h/a%2Fb", "d://h/%61", "d://h/a?q", "d://h/a#f"], ["d://h/", "d://h/a/b", "d://i/a"]),
        ("d://h/{x*}", ["d://h/a", "d://h/a/b", "d://h//"], ["d://h/"]),
        (
            "d://{a}-{b}-{c}.log",
            ["d://1-2-3.log", "d://1-2-3-4.log"],
            ["d://1-2.log", "d://1-2-3.lo", "d://--.log", "d://1-2-/3.log"],
        ),
        ("d://h/{a}{b}", ["d://h/xy"], ["d://h/x"]),
        ("d://h/{a}/{b*}", ["d://h/x/y/z", "d://h/x/y"], ["d://h/x", "d://h/x/"]),
        ("d://h/caf\u00e9/{x}", ["d://h/caf%c3%a9/a", "d://h/caf\u00e9/a"], ["d://h/cafe/a"]),
        ("d://h/{x}{?a,b}", ["d://h/1", "d://h/1?a=2"], ["d://h/"]),
        ("d://h/a", ["d://h/a", "d://h/a?x"], ["d://h/b"]),
        ("d://h/{x}", ["d://h/a\n", "d://h/\n"], []),
        ("https://h:{port}/x", ["https://h:443/x"], []),
    ],
)
def test_a_template_serves_what_stands_in_its_placeholders(template, served, others):
    pattern = UriPattern.of_template(template)
    assert [uri for uri in (*served, *others) if pattern.may_serve(read_uri(uri))] == served


@pytest.mark.parametrize("uri", ["d://h/*", "d://h/\x00", "d://h/{x}"])
def test_in_the_uri_of_a_resource_nothing_stands_for_something_else(uri):
    pattern = UriPattern.of_resource(uri)
    assert all(map(pattern.fits, pattern.uri.readings))
    assert uri == "d://h/\x00" or not any(map(pattern.fits, read_uri("d://h/a").readings))


def test_values_are_found_by_what_they_are_for():
    rules = ["d://h/a", "d://h/*", "d://h/a?x=1", "d://h/b"]
    known = UriMap([(UriPattern.of_rule(rule), rule) for rule in rules])
    found = {
        uri: {value for reading in read_uri(uri).readings for value, _ in known.at(reading)} for uri in ("d://h/a", "D://h/a?x=1")
    }
    assert found == {"d://h/a": {"d://h/a", "d://h/*"}, "D://h/a?x=1": {"d://h/a", "d://h/*", "d://h/a?x=1"}}


@pytest.mark.parametrize(
    ("uri", "template", "other", "there"),
    [
        ("d://h/1", "d://h/{x}", "d://n/h/{x}", "d://n/h/1"),
        ("d://n/h/1", "d://n/h/{x}", "d://h/{x}", "d://h/1"),
        ("d://h/1", "d://h/{x}", "d://h/{x}", "d://h/1"),
        ("d:///a/1", "d:///a/{x}", "d://n//a/{x}", "d://n//a/1"),
        ("d://1/a", "d://{x}/a", "d://{x}/b", None),
        ("D://h/1", "d://h/{x}", "d://n/h/{x}", None),
        ("d://h/1", "d://h/{x}", "{x}", "1"),
    ],
)
def test_a_uri_of_a_template_is_told_by_another_that_begins_otherwise(uri, template, other, there):
    assert moved(uri, template, other) == there


def test_a_pattern_is_made_once_and_no_more_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(uri_patterns, "_MOST_PATTERNS", 2)
    made = []

    def make(text):
        made.append(text)
        return UriPattern.of_resource(text)

    memory = PatternMemory(make)
    first = memory.of("d://h/a")
    assert memory.of("d://h/a") is first
    assert first.text == "d://h/a"
    memory.of("d://h/b")
    memory.of("d://h/c")
    assert memory.of("d://h/a") is not first
    assert made == ["d://h/a", "d://h/b", "d://h/c", "d://h/a"]
