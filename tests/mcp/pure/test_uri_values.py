"""Which values of a template a rule is for."""

import pytest

from mcp_oauth2_deps.mcp import uri_values
from mcp_oauth2_deps.mcp.uri_values import NamedValues, named_values

N = "d://h/{n}"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """Each test takes templates apart itself, also where another one, or mutation testing before a fork, did so before."""
    for remembering in (uri_values._parsed, uri_values._read):
        remembering.cache_clear()


@pytest.mark.parametrize(
    ("rule", "template", "names"),
    [
        # One value, in any spelling and at any place.
        ("d://h/7", N, "n"),
        ("D://H/%37", N, "n"),
        ("d://h/7*", N, "n"),
        ("d://h/*7", N, "n"),
        ("d://h/a%2Fb", N, "n"),
        ("d://h/{m}", N, "n"),
        ("d://h/i-7", "d://h/i-{n}", "n"),
        ("d://h/x-7", "d://h/{s}-{n}", "sn"),
        ("d://7/a", "d://{n}/a", "n"),
        ("d://*/7", "d://{s}/{n}", "n"),
        ("d://a/*", "d://{s}/{n}", "s"),
        ("d://a/7", "d://{s}/{n}", "sn"),
        ("d://a/{n}", "d://{s}/{n}", "s"),
        ("d://h/a*", "d://h/{s}/{n}", "s"),
        ("d://h/*/7*", "d://h/{s}/{t}/{n}", "stn"),
        ("d://*7*", "d://{s}/h/{n}", "sn"),
        ("d://h/7", "d://h/{+n}", "n"),
        ("d://h/a/b", "d://h/{p*}", "p"),
        ("d://h/a/7", "d://h/{p*}/{n}", "pn"),
        ("d://h/7/x", "d://h{/n}/x", "n"),
        ("d://h/1,2", "d://h/{a,b}", "ab"),
        ("d://h//7", N, "n"),
        ("d://h/*//7", "d://h/{a}/x/{n}", "an"),
        # Any value.
        ("d://h/*", N, ""),
        ("d://*", N, ""),
        ("*", N, ""),
        ("d://h/{n}", N, ""),
        ("D://H/{n}", N, ""),
        ("d://h/i-*", "d://h/i-{n}", ""),
        ("d://*/{n}", "d://{s}/{n}", ""),
        ("d://h/*", "d://h/{p*}/{n}", ""),
        ("d://h/*/x", "d://h/{n}/x", ""),
        # Other URIs.
        ("d://i/7", N, ""),
        ("e://h/7", N, ""),
        ("d://h/", N, ""),
        ("d://h/7/8", N, ""),
        ("d://h/7", "d://h/{a}/{n}", ""),
        ("d://h/7", "d://h/{n}/x", ""),
        ("d://h/x*", "d://h/i-{n}", ""),
        ("d://h/*/y", "d://h/{n}/x", ""),
    ],
)
def test_a_rule_names_the_parameters_of_which_it_is_for_some_values_only(rule, template, names):
    assert named_values(rule, template).names == frozenset(names)


@pytest.mark.parametrize(
    ("rule", "template", "names", "query"),
    [
        ("d://h?n=7", "d://h{?n}", "n", {"n": {"7"}}),
        ("d://h?n=7&m=*", "d://h{?n,m}", "n", {"n": {"7"}}),
        ("d://h?n=7&m=8", "d://h{?n,m}", "nm", {"n": {"7"}, "m": {"8"}}),
        ("d://h?%6E=7", "d://h{?n}", "n", {"n": {"7"}}),
        ("d://h?m=8", "d://h?a=b{&m}", "m", {"m": {"8"}}),
        ("d://h/7?m=8", "d://h/{n}{?m}", "nm", {"m": {"8"}}),
        ("d://h?n=*", "d://h{?n}", "", {}),
        ("d://h", "d://h{?n}", "", {}),
        ("d://h?x=7", "d://h{?n}", "", {}),
        ("d://i?n=7", "d://h{?n}", "", {}),
        ("d://h?n=7", "d://h?n={n}", "n", {}),
        ("d://h?n={n}", "d://h?n={n}", "", {}),
        ("d://h", "d://h?n={n}", "", {}),
    ],
)
def test_a_rule_names_values_of_the_query_too(rule, template, names, query):
    found = named_values(rule, template)
    assert found.names == frozenset(names)
    assert {name: set(values) for name, values in found.query.items()} == query


def test_what_is_taken_as_it_is_written_is_safe_to_name():
    named = NamedValues(frozenset({"n", "a-b"}), {})
    assert named.converted({}) == ["a-b", "n"]
    assert named.converted({"a_b": frozenset()}) == ["n"]
    assert named.converted({"a_b": frozenset(), "n": frozenset()}) == []


@pytest.mark.parametrize(
    ("query", "kept", "means"),
    [
        ({"zone": {"secret"}}, {"zone": {"secret"}}, True),
        ({"zone": {"sec*"}}, {"zone": {"secret"}}, True),
        ({"zone": {"secret*"}}, {"zone": {"secret"}}, True),
        ({"a-b": {"x"}}, {"a_b": {"x", "y"}}, True),
        ({"zone": {"secret"}}, {"zone": {"public"}}, False),
        ({"zone": {"secret"}}, {"zone": set()}, False),
        ({"zone": {"secret"}}, {}, False),
        ({"zone": {"secret"}, "n": {"1"}}, {"zone": {"secret"}, "n": {"2"}}, False),
        ({}, {"zone": {"secret"}}, False),
    ],
)
def test_a_rule_for_the_defaults_is_one_for_no_query_too(query, kept, means):
    named = NamedValues(frozenset(query), {name: frozenset(values) for name, values in query.items()})
    assert named.means_defaults({name: frozenset(texts) for name, texts in kept.items()}) is means
