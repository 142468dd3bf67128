"""Laws of URIs over all inputs: no engine serves what a rule was not asked about."""

import re

from fastmcp.resources.template import build_regex, match_uri_template
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mcp.shared.uri_template import UriTemplate
from pydantic import AnyUrl, ValidationError

from mcp_oauth2_deps.mcp import uri_patterns
from mcp_oauth2_deps.mcp.uri_patterns import UriPattern
from mcp_oauth2_deps.mcp.uris import DECODED, PRECISE, forms, fully_decoded, read_uri

PIECES = st.lists(
    st.sampled_from([*"ab-._~/{}|:@?#&=+* ^\\", "%2F", "%2f", "%41", "%C3%A9", "%c3%a9", "\u00e9", "%", "%25", "..", "//", "\n"]),
    max_size=9,
).map("".join)
HOST_NAMES = ["h", "H", "", "h.example", "h:443", "xn--bcher-kva.example", "b\u00fccher.example", "u@h", "[::1]", "h:0"]
HOSTS = st.sampled_from(HOST_NAMES)
URIS = st.builds("{}://{}{}{}".format, st.sampled_from(["d", "D", "https", "file"]), HOSTS, st.sampled_from(["/", ""]), PIECES)
NAMES = iter(range(10**9))
TEMPLATES = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["d", "https", "file"]),
    HOSTS,
    st.lists(
        st.one_of(
            st.sampled_from([*"ab-.~/", "%2F", "%2f", "\u00e9", "%C3%A9", "|", " ", "%", "//", "\\"]),
            st.sampled_from(["{}", "{*}", "{?q}"]),
        ),
        max_size=7,
    ).map(
        lambda pieces: "".join(
            piece.replace("{", f"{{v{index}", 1) if piece in ("{}", "{*}") else piece for index, piece in enumerate(pieces)
        )
    ),
)


@st.composite
def served(draw):
    """A template and a URI made of it."""
    template = draw(TEMPLATES)
    path = re.sub(r"\{\?[^}]*\}", "", template)
    uri = re.sub(r"\{[^}]*\}", lambda _: draw(PIECES), path)
    return template, draw(st.sampled_from([uri, uri.replace("%2F", "%2f"), uri + "\n", uri + "?q=1", uri + "#f"]))


@settings(max_examples=500)
@given(st.one_of(served(), st.tuples(TEMPLATES, URIS)))
@example(("https://h:443/{v0}", "https://h:443/a"))
@example(("d://h/{v0}", "d://h/a\n"))
@example(("d://h/{v0}", "d://h/\n"))
def test_no_template_of_fastmcp_serves_what_it_is_not_taken_to_serve(case):
    template, uri = case
    assume(build_regex(template) is not None)
    if match_uri_template(uri, template) is not None and read_uri(uri).readings:
        assert UriPattern.of_template(template).may_serve(read_uri(uri))


@settings(max_examples=500)
@given(URIS)
def test_a_rule_is_for_what_fastmcp_registers_of_it(uri):
    # What FastMCP takes for another host or path than is written stops the start: the rule fits nothing that is there.
    assume("*" not in uri and "\\" not in uri and not uri.startswith("https:///"))
    # So do odd texts in the place of a host, and a drive behind one.
    assume(uri.partition("://")[2].partition("/")[0] in HOST_NAMES and uri.partition("://")[2].count("/"))
    assume(not re.match(r"file://[^/]+/[a-zA-Z][:|]", uri))
    try:
        registered = str(AnyUrl(uri))
        rule = UriPattern.of_rule(uri)
    except (ValidationError, ValueError):
        return
    assume(not re.search(r"[\t\r\n]", uri.strip()))
    readings = read_uri(registered).readings
    # Dots after a query or fragment, and what is encoded in a host, may leave more than one reading.
    assert any(map(rule.fits, readings)), readings


@settings(max_examples=500)
@given(st.one_of(URIS, st.text(max_size=30), PIECES))
def test_the_short_way_reads_as_the_long_way_does(uri):
    readings = read_uri(uri).readings
    decoded = fully_decoded(uri)
    for reading in readings:
        assert (reading.base, reading.query) in forms(uri, decoded, reading.way)
    assert not readings or {way for way, _, _ in readings} >= {PRECISE, DECODED}


@given(st.text("ab*.[", max_size=8), st.text("ab*.[\n", max_size=10))
def test_a_pattern_fits_as_the_regular_expression_does(pattern, text):
    pieces = pattern.split("*")
    for least, any_text in ((0, ".*"), (1, ".+")):
        fits = re.fullmatch(any_text.join(map(re.escape, pieces)), text, re.DOTALL) is not None
        assert uri_patterns.fits_pieces(pieces, least, text) == fits


QUERIES = st.lists(
    st.sampled_from(
        [
            "zone=",
            "zone",
            "%7Aone=",
            "x=1",
            "my secret",
            "my%20secret",
            "my+secret",
            "%6Dy+secret",
            "public",
            *"&&&;,=+",
            "%26",
            "%25",
        ]
    ),
    max_size=8,
).map("".join)


@settings(max_examples=1000)
@given(QUERIES)
@example("zone=my%20secret&zone=public")
@example("&zone=my%20secret")
@example("zone=my+secret&x=1")
def test_a_rule_with_a_query_fits_whatever_an_engine_reads_as_it(query):
    asked, guarded = f"data://items?{query}", "data://items?zone=my%20secret"
    rule, readings = UriPattern.of_rule(guarded), read_uri(asked).readings
    template = UriTemplate.parse("data://items{?zone}")
    same = [
        (match_uri_template(asked, "data://items{?zone}") or {}).get("zone") == "my secret",
        (template.match(asked) or {}).get("zone") == "my secret",
    ]
    if any(same):
        assert not readings or any(map(rule.fits, readings))
    if readings and all(map(rule.covers, readings)):
        assert all(same)


@settings(max_examples=500)
@given(URIS)
@example("d://h/x\\y/../c")
@example("file://h/a:")
@example("d://h/a////..")
def test_what_a_proxy_makes_of_a_uri_is_among_its_readings(uri):
    try:
        passed_on = str(AnyUrl(uri))
        rule = UriPattern.of_rule(passed_on.replace("*", "%2A"))
    except (ValidationError, ValueError):
        return
    readings = read_uri(uri).readings
    assert not readings or any(map(rule.fits, readings)), passed_on
