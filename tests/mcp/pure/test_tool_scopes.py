"""Which scopes a message needs by a table of rules."""

import re

import pytest

from mcp_oauth2_deps.mcp import tool_scopes
from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.mcp.rule_values import PUBLIC, Demand, as_requirement, together
from mcp_oauth2_deps.mcp.tool_scopes import Held, ToolScopes
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement


def call(name, kind="tools"):
    return Message({"tools": "tools/call", "prompts": "prompts/get", "resources": "resources/read"}[kind], kind, (name,))


class Alternatives(Demand):
    requirement = ScopeRequirement((), (("a", "b"),))


def test_a_rule_is_a_list_of_scopes_or_holds_a_requirement():
    assert as_requirement(["a", "b"]) == ScopeRequirement(("a", "b"))
    assert as_requirement(Alternatives()) is Alternatives.requirement


@pytest.mark.parametrize("rule", ["a", 1, ["a b"], [""], [1], ["offline_access"]], ids=repr)
def test_a_wrong_rule_is_refused_with_the_table(rule):
    for table in ({"every_call": rule}, {"methods": {"m": rule}}, {"tools": {"t": rule}}, {"prompts": {"p": rule}}):
        with pytest.raises(ValueError, match=r"scope|offline_access"):
            ToolScopes(**table)


def test_a_wrong_default_is_refused():
    with pytest.raises(ValueError, match="'allow'"):
        ToolScopes(default="allow")


def test_every_scope_is_named_once_in_the_order_of_the_table():
    table = ToolScopes(every_call=["a"], methods={"m": ["b", "a"]}, tools={"t": ["c"]}, resources={"*": Alternatives()})
    assert list(table.scopes()) == ["a", "b", "c"]


def test_a_response_needs_no_more_than_every_call():
    assert ToolScopes(every_call=["a"], default="deny").needed_for(Message(None)) == ScopeRequirement()


def test_a_message_that_names_nothing_needs_what_its_method_needs():
    table = ToolScopes(methods={"tools/list": ["m"]}, tools={"t": ["n"]}, default="deny")
    assert table.needed_for(Message("tools/list")) == ScopeRequirement(("m",))
    assert table.needed_for(Message("ping")) == ScopeRequirement()


def test_the_rules_of_method_name_and_function_add_up():
    table = ToolScopes(methods={"tools/call": ["m"]}, tools={"t": ["n"]})
    needed = table.needed_for(call("t"), [[Held("t", Alternatives.requirement), Held("t", None)]])
    assert needed == ScopeRequirement(("m", "n"), (("a", "b"),))


@pytest.mark.parametrize(
    ("table", "ruled", "denied"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"tools": {"t": []}}, False, True),
        ({"prompts": {"p": []}}, False, False),
        ({"tools": {"t": []}, "default": "method"}, True, False),
        ({"default": "deny"}, False, True),
    ],
)
def test_what_has_no_rule_falls_to_the_default(table, ruled, denied):
    needed = ToolScopes(**table).needed_for(call("unknown"), [[Held("unknown", None)]], ruled=ruled)
    assert needed == (None if denied else ScopeRequirement())


@pytest.mark.parametrize(
    ("table", "asks"),
    [
        ({}, True),
        ({"prompts": {"p": []}}, True),
        ({"tools": {"t": []}}, False),
        ({"default": "deny"}, False),
        ({"default": "method"}, False),
    ],
)
def test_rules_at_functions_matter_to_what_has_none_only_where_the_table_says_nothing(table, asks):
    assert ToolScopes(**table).asks_whether_ruled("tools") is asks


def test_what_serves_a_name_brings_the_rule_for_its_own_name_along():
    table = ToolScopes(tools={"t": ["a"], "other": ["b"]}, resources={"d://h/{x}": ["c"]})
    assert table.needed_for(call("t"), [[Held("other", None)]]) == ScopeRequirement(("a", "b"))
    assert table.needed_for(call("0123456789ab_t"), [[Held("t", None)]]) == ScopeRequirement(("a",))
    assert table.needed_for(call("0123456789ab_x"), [[Held("x", None)]]) is None
    assert table.needed_for(call("0123456789ab_x"), [[Held("x", ScopeRequirement(("f",)))]]) == ScopeRequirement(("f",))
    assert table.needed_for(call("d://h/1", "resources"), [[Held("d://h/{x}", None)]]) == ScopeRequirement(("c",))
    assert table.needed_for(call("d://h/1", "resources"), [[]]) is None


@pytest.mark.parametrize(
    ("rules", "names", "unknown"),
    [
        (["d://h/a"], ["d://h/a"], []),
        (["D://H/%61"], ["d://h/a"], []),
        (["d://h/{x}"], ["d://h/{x}"], []),
        (["d://h/a", "d://h/b"], ["d://h/a"], ["d://h/b"]),
        (["d://h/*", "*"], [], []),
        (["d://h/a"], ["d://h/%2525252561"], ["d://h/a"]),
    ],
)
def test_a_resource_rule_without_a_star_stands_for_something_that_is_there(rules, names, unknown):
    assert ToolScopes(resources={rule: ["a"] for rule in rules}).rules_without("resources", names) == unknown


def test_rules_for_tools_that_are_not_there_are_found():
    assert ToolScopes(tools={"b": [], "a": [], "c": []}).rules_without("tools", ["c"]) == ["a", "b"]


def test_a_uri_that_is_encoded_too_often_is_denied_where_it_cannot_be_compared():
    uri = call("d://h/%2525252561", "resources")
    assert ToolScopes(resources={"d://h/*": []}, default="method").needed_for(uri) is None
    assert ToolScopes(resources={"d://h/*": []}).needed_for(uri, [[Held("d://h/{x}", ScopeRequirement())]]) is None
    assert ToolScopes().needed_for(uri) == ScopeRequirement()


@pytest.mark.parametrize(
    ("uri", "let_in"),
    [
        ("d://h/public/x", True),
        ("D://h/public/x?y=1", True),
        ("d://h/public/../secret/x", False),
        ("d://h/public/%2e%2e/secret/x", False),
        ("d://h/public%2Fx", False),
        ("d://h/one%23/../secret/x", False),
        ("d://h/one?y=1", True),
        ("d://h/one?y=/../secret/x", False),
        ("d://h/one?y=%5C..%5Csecret", False),
        ("d://h/one#/secret/x", False),
    ],
)
def test_a_uri_that_can_be_read_in_two_ways_needs_a_rule_for_both(uri, let_in):
    table = ToolScopes(resources={"d://h/public/*": [], "d://h/one": []})
    assert table.needed_for(call(uri, "resources")) == (ScopeRequirement() if let_in else None)


def test_one_denied_name_denies_the_message():
    message = Message("subscriptions/listen", "resources", ("a:1", "b:1"))
    assert ToolScopes(resources={"a:*": ["a"]}).needed_for(message) is None
    assert ToolScopes(resources={"a:*": ["a"], "b:1": ["b"]}).needed_for(message) == ScopeRequirement(("a", "b"))


@pytest.mark.parametrize("spelling", ["t ", "T", "t*", "", "*"])
def test_names_of_tools_are_exact(spelling):
    assert ToolScopes(tools={"t": []}).needed_for(call(spelling)) is None
    assert ToolScopes(tools={"*": []}).needed_for(call("t")) is None


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        ("file:///secret/x", True),
        ("file:///Secret/x", False),
        ("file:///a/../secret/x", True),
        ("file:///secret/a/../x", True),
        ("file:///secret/a://b", True),
        ("file:///../secret/x", True),
        ("file:///a/%2e%2e/secret/x", True),
        ("file:///a/%252e%252e/secret/x", True),
        ("file:///a\\..\\secret/x", True),
        ("FILE:///secret/x", True),
        ("file:////secret/x", True),
        ("file:///secret", False),
        ("file:///secrets/x", False),
    ],
)
def test_another_spelling_of_a_uri_needs_no_less(uri, secret):
    table = ToolScopes(resources={"file:///secret/*": ["secret"]}, default="method")
    assert table.needed_for(call(uri, "resources")) == ScopeRequirement(("secret",) if secret else ())


def test_a_slash_at_the_end_needs_no_less_and_no_rule_of_its_own():
    table = ToolScopes(resources={"d://h/secret": ["secret"], "d://h/*": ["read"]})
    assert set(table.needed_for(call("d://h/secret/", "resources")).names()) == {"secret", "read"}
    assert set(table.needed_for(call("d://h/a/", "resources")).names()) == {"read"}
    assert ToolScopes(resources={"d://h/dir/*": []}).needed_for(call("d://h/dir/", "resources")) == ScopeRequirement()
    assert ToolScopes(resources={"d://h/a": []}).needed_for(call("d://h/a/", "resources")) is None


def test_only_the_star_is_special_in_a_pattern():
    table = ToolScopes(resources={"a.b[c]?/{x}": ["a"]})
    assert table.needed_for(call("a.b[c]?/{x}", "resources")) == ScopeRequirement(("a",))
    for other in ("aXb[c]?/{x}", "a.bc/{x}", "a.b[c]/{x}"):
        assert table.needed_for(call(other, "resources")) is None


def test_a_uri_without_authority_is_compared_as_it_is():
    assert ToolScopes(resources={"urn:a": ["a"]}).needed_for(call("urn:%61", "resources")) == ScopeRequirement(("a",))


@pytest.mark.parametrize(
    ("pattern", "fitting", "foreign"),
    [
        ("a:*", ["a:", "a:b", "A:b", "a:b c"], ["a", "b:a:", "a/b"]),
        ("*:a", [":a", "b:a"], ["a", "b:a:"]),
        ("a*a", ["aa", "aba"], ["a", "ab"]),
        ("a*b*c", ["abc", "aXbYc", "abbc"], ["ac", "acb", "abcd"]),
        ("*", ["", "anything"], []),
        ("**", ["", "anything"], []),
        ("a*bc*bc", ["abcbc", "abcXbc"], ["abc", "abXbc"]),
        # What stands between stars stands in this order, and nothing counts twice.
        ("s:*b*c*", ["s:bc", "s:bcb", "s:XbXcX"], ["s:cb", "s:b"]),
        ("s:*bc*bc*", ["s:bcbc", "s:XbcXbcX"], ["s:bc", "s:XbcX", "s:XXXbcX"]),
        ("s:*bb*bb*", ["s:bbbb"], ["s:bbb", "s:bb"]),
    ],
)
def test_a_star_stands_for_any_characters(pattern, fitting, foreign):
    table = ToolScopes(resources={pattern: ["a"]}, default="method")
    for text in fitting:
        assert table.needed_for(call(text, "resources")) == ScopeRequirement(("a",)), text
    for text in foreign:
        assert table.needed_for(call(text, "resources")) == ScopeRequirement(), text


@pytest.mark.parametrize("uri", ["d://h/s?x", "d://h/s#x", "d://h/s?#", "d://h/s%3Fx", "d://h/a/..%2Fs?x", "D://H/s?x"])
def test_a_query_or_fragment_needs_no_less(uri):
    table = ToolScopes(resources={"d://h/s": ["secret"], "d://h/*": ["read"]}, default="method")
    needed = table.needed_for(call(uri, "resources"))
    assert set(needed.names()) == {"secret", "read"}


@pytest.mark.parametrize(
    "query",
    [
        "zone=secret",
        "zone=%73ecret",
        "zone=secret&",
        "&zone=secret",
        "zone=secret&x=1",
        "zone=secret&zone=public",
        "zone=public&zone=secret",
        "zone=my+secret",
        "zone=secret;x=1",
        "%7Aone=secret",
        "zone=secret?",
        "zone=public",
    ],
)
def test_a_rule_with_a_query_is_for_every_query_of_that_uri(query):
    table = ToolScopes(resources={"data://items": ["read"], "data://items?zone=secret": ["vault"]})
    assert table.needed_for(call("data://items", "resources")) == ScopeRequirement(("read",))
    needed = table.needed_for(call(f"data://items?{query}", "resources"))
    assert needed is not None
    assert set(needed.names()) == {"read", "vault"}


def test_a_rule_with_a_query_says_nothing_of_other_uris():
    table = ToolScopes(resources={"data://items?zone=secret": ["vault"]}, default="method")
    assert table.needed_for(call("data://others?zone=secret", "resources")) == ScopeRequirement()


@pytest.mark.parametrize(
    ("query", "let_in"),
    [("zone=public", True), ("zone=secret", False), ("zone=public&zone=secret", False), ("zone=public&x=1", False)],
)
def test_a_rule_with_a_query_opens_no_other_query(query, let_in):
    table = ToolScopes(resources={"data://items?zone=public": ["read"]})
    needed = table.needed_for(call(f"data://items?{query}", "resources"))
    assert needed == (ScopeRequirement(("read",)) if let_in else None)


# What is public (rule F12).


OPEN, ANY, SCOPED = PUBLIC.requirement, ScopeRequirement(), ScopeRequirement(("a",))


@pytest.mark.parametrize(
    ("rules", "needed"),
    [
        ([], ANY),
        ([OPEN], OPEN),
        ([OPEN, OPEN], OPEN),
        ([ANY], ANY),
        ([OPEN, ANY], ANY),
        ([ANY, OPEN], ANY),
        ([SCOPED, OPEN], SCOPED),
        ([OPEN, SCOPED, OPEN], SCOPED),
        ([OPEN, OPEN, ANY], ANY),
        ([ANY, OPEN, OPEN], ANY),
    ],
)
def test_rules_together_are_public_only_where_each_of_them_is(rules, needed):
    assert together(rules) == needed
    assert type(together(rules)) is type(needed)


def test_no_scopes_at_all_is_not_public():
    assert as_requirement([]) != OPEN
    assert as_requirement(PUBLIC) is OPEN
    assert ANY + OPEN == OPEN + ANY == ANY, "added up by hand it is safe too"


@pytest.mark.parametrize(
    ("table", "message", "public"),
    [
        ({"tools": {"x": PUBLIC}}, Message("tools/call", "tools", ("x",)), True),
        ({"tools": {"x": PUBLIC}}, Message("ping"), True),
        ({"tools": {"x": PUBLIC}}, Message(None), True),
        ({"tools": {"x": PUBLIC}}, Message("tools/list"), False),
        ({"tools": {"x": PUBLIC}, "default": "method"}, Message("tools/call", "tools", ("y",)), False),
        ({"tools": {"x": []}}, Message("tools/call", "tools", ("x",)), False),
        ({"tools": {"x": []}}, Message("ping"), False),
        ({"tools": {"x": []}}, Message(None), False),
        ({"methods": {"tools/call": PUBLIC}}, Message("tools/call", "tools", ("y",)), True),
        ({"resources": {"a:///*": PUBLIC}}, Message("resources/read", "resources", ("a:///x",)), True),
        ({"resources": {"a:///*": PUBLIC}}, Message("resources/subscribe", "resources", ("a:///x",)), False),
        ({"resources": {"a:///*": PUBLIC, "a:///x": []}}, Message("resources/read", "resources", ("a:///x",)), False),
        ({"resources": {"a:///x": PUBLIC, "a:///*": []}}, Message("resources/read", "resources", ("a:///x",)), False),
        (
            {"resources": {"a:///x": PUBLIC}, "methods": {"completion/complete": PUBLIC}, "default": "method"},
            Message("completion/complete", "resources", ("a:///x", "a:///y")),
            True,
        ),
        (
            {"resources": {"a:///x": PUBLIC, "a:///y": []}, "methods": {"completion/complete": PUBLIC}},
            Message("completion/complete", "resources", ("a:///x", "a:///y")),
            False,
        ),
    ],
)
def test_what_is_public_and_what_is_not(table, message, public):
    assert (ToolScopes(**table).needed_for(message) == OPEN) is public


def test_what_stands_at_a_function_is_needed_of_what_is_public_too():
    message = Message("tools/call", "tools", ("x",))
    held = [Held("x", None), Held("x", ScopeRequirement())]
    assert ToolScopes(tools={"x": PUBLIC}).needed_for(message, [held[:1]]) == OPEN
    assert ToolScopes(tools={"x": PUBLIC}).needed_for(message, [held]) == ANY


@pytest.mark.parametrize(
    ("message", "resources", "cannot"),
    [
        (call("http:h/a", "resources"), {"d://h/*": []}, True),
        (Message("subscriptions/listen", "resources", ("d://h/a", "d://h/\0")), {"d://h/*": []}, True),
        (call("d://h/a", "resources"), {"d://h/*": []}, False),
        (call("http:h/a", "resources"), {}, False),
        (call("http:h/a"), {"d://h/*": []}, False),
    ],
)
def test_a_uri_that_programs_repair_cannot_be_compared_with_a_rule(message, resources, cannot):
    table = ToolScopes(resources=resources)
    assert table.cannot_compare(message) is cannot
    if cannot:
        assert table.needed_for(message) is None


def test_the_rules_for_some_values_of_a_template_are_found_once_for_each():
    table = ToolScopes(resources={"d://h/7": ["a"], "d://h/*": ["b"], "d://i/7": ["c"], "d://h/{n}": [], "d://h/8*": ["d"]})
    found = table.for_values_of("d://h/{n}")
    assert [(rule.text, rule.uri.text, rule.needed, rule.values.names) for rule in found] == [
        ("d://h/7", "d://h/7", ScopeRequirement(("a",)), {"n"}),
        ("d://h/8*", "d://h/8*", ScopeRequirement(("d",)), {"n"}),
    ]
    assert table.for_values_of("d://h/{n}") is found
    assert [rule.text for rule in table.for_values_of("d://i/{n}")] == ["d://i/7"]
    assert list(table.for_values_of("e://h/{n}")) == []


def test_templates_without_end_are_forgotten(monkeypatch):
    monkeypatch.setattr(tool_scopes, "_MOST_TEMPLATES", 2)
    table = ToolScopes(resources={"d://h/7": ["a"]})
    first = table.for_values_of("d://h/{a}")
    table.for_values_of("d://h/{b}")
    assert table.for_values_of("d://h/{a}") is first
    table.for_values_of("d://h/{c}")
    again = table.for_values_of("d://h/{a}")
    assert again is not first
    assert again == first


def test_what_counts_for_a_whole_template_is_needed_and_opens_nothing():
    held = Held("d://h/{n}", None, whole=ScopeRequirement(("admin",)))
    ruled = ToolScopes(resources={"d://h/*": ["read"]})
    assert ruled.needed_for(call("d://h/8", "resources"), [[held]]) == ScopeRequirement(("read", "admin"))
    assert ToolScopes(resources={"d://i/*": []}).needed_for(call("d://h/8", "resources"), [[held]]) is None
    free = ToolScopes(resources={"d://i/*": []}, default="method")
    assert free.needed_for(call("d://h/8", "resources"), [[held]]) == ScopeRequirement(("admin",))


@pytest.mark.parametrize(
    ("uri", "needed"), [("d://h", ("read", "admin")), ("d://h?", ("read", "admin")), ("d://h?n=1", ("read",))]
)
def test_what_counts_without_a_query_is_needed_there_only(uri, needed):
    held = Held("d://h{?n}", None, without_query=ScopeRequirement(("admin",)))
    table = ToolScopes(resources={"d://h": ["read"], "d://h{?n}": ["read"]})
    assert table.needed_for(call(uri, "resources"), [[held]]) == ScopeRequirement(needed)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"every_call": PUBLIC}, "every_call cannot be PUBLIC; name the methods"),
        (
            {"methods": {"subscriptions/listen": PUBLIC}},
            "methods['subscriptions/listen'] cannot be PUBLIC: its answer is a stream",
        ),
        (
            {"methods": {"tools/call": ["a"]}, "tools": {"x": PUBLIC}},
            "tools['x'] cannot be PUBLIC: methods['tools/call'] needs a token for all tools",
        ),
    ],
)
def test_what_cannot_be_public_is_refused_with_the_table(table, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        ToolScopes(**table)


@pytest.mark.parametrize(
    "table",
    [
        {"methods": {"subscriptions/listen": ["a"], "tools/list": PUBLIC}},
        {"methods": {"tools/call": PUBLIC}, "tools": {"x": PUBLIC}},
        {"methods": {"tools/call": ["a"]}, "tools": {"x": ["b"]}},
    ],
)
def test_control_what_agrees_is_a_table(table):
    assert ToolScopes(**table).methods == table["methods"]
