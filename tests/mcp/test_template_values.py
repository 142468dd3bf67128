"""A rule for some values of a template, where the server makes something else of a value than the text that is written."""

import datetime as dt
import enum
import re
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

OPTIONS = {"json_response": True, "stateless_http": True}
ENGINES = pytest.mark.parametrize("make", [FastMCP, MCPServer])


def assert_short(answer, needed):
    assert answer.status_code == 403
    assert set(re.search(r'scope="([^"]*)"', answer.headers["www-authenticate"])[1].split()) == set(needed)


class Colour(enum.Enum):
    RED = "red"


CONVERTED = {
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "date": dt.date,
    "UUID": UUID,
    "enum": Colour,
    "a number or none": int | None,
    "a number or a text": int | str,
    "numbers only": Literal[1, 7],
    "a number among texts": Literal["a", 7],
    "a secret": SecretStr,
    "stripped": Annotated[str, StringConstraints(strip_whitespace=True)],
    "in small letters": Annotated[str, StringConstraints(to_lower=True)],
    "in capitals": Annotated[str, StringConstraints(to_upper=True)],
    "changed before": Annotated[str, BeforeValidator(str.strip)],
    "changed after": Annotated[str, AfterValidator(str.strip)],
    "made with a default": Annotated[str, Field(default_factory=lambda: "x")],
}
KEPT = {
    "str": str,
    "Any": Any,
    "object": object,
    "a text or none": str | None,
    "within bounds": Annotated[str, Field(min_length=1, max_length=9, pattern="^[0-9a-z]+$", description="a value")],
    "some texts": Literal["7", "8", "x"],
}


def server_with(make, annotation, template="d://h/{n}", default=...):
    server = make("values")

    def read(n):
        return f"value {n!r}"

    read.__annotations__ = {"n": annotation, "return": str}
    if default is not ...:
        read.__defaults__ = (default,)
    server.resource(template)(read)
    return server


@pytest.fixture
def refused(serve):
    """What the start is refused with."""

    async def start(server, rules):
        with pytest.raises(ValueError, match="in ToolScopes is for some values of") as error:
            async with serve(server, {"resources": rules}, **OPTIONS):
                pass
        return str(error.value)

    return start


@ENGINES
@pytest.mark.parametrize("annotation", CONVERTED.values(), ids=list(CONVERTED))
async def test_f9_a_rule_for_one_value_stops_the_start_where_the_server_converts_it(refused, make, annotation):
    said = await refused(server_with(make, annotation), {"d://h/*": ["read"], "d://h/7": ["admin"]})
    assert said.startswith("the rule for 'd://h/7' in ToolScopes is for some values of n in the template 'd://h/{n}'")
    assert "declare n as plain str" in said


@ENGINES
@pytest.mark.parametrize("annotation", KEPT.values(), ids=list(KEPT))
async def test_control_a_rule_for_one_value_holds_where_the_server_keeps_the_text(serve, make, annotation):
    async with serve(
        server_with(make, annotation), {"resources": {"d://h/*": ["read"], "d://h/7": ["admin"]}}, **OPTIONS
    ) as caller:
        for uri in ("d://h/7", "d://h/%37"):
            assert_short(await caller(scopes=["read"]).rpc("resources/read", {"uri": uri}), ["read", "admin"])
        assert "value '8'" in (await caller(scopes=["read"]).rpc("resources/read", {"uri": "d://h/8"})).text


@ENGINES
@pytest.mark.parametrize("rules", [["d://h/{n}"], ["d://h/*"], ["*"], ["d://h/*", "D://H/{n}"]])
async def test_control_a_rule_for_all_values_may_stand_whatever_the_server_makes_of_them(serve, make, rules):
    async with serve(server_with(make, int), {"resources": dict.fromkeys(rules, ("admin",))}, **OPTIONS) as caller:
        assert_short(await caller().rpc("resources/read", {"uri": "d://h/07"}), ["admin"])
        assert "value 7" in (await caller(scopes=["admin"]).rpc("resources/read", {"uri": "d://h/07"})).text


@ENGINES
@pytest.mark.parametrize("rule", ["d://h/7*", "d://h/%37", "D://H/*7"])
async def test_f9_nor_may_a_rule_name_a_part_of_a_value_or_spell_it_otherwise(refused, make, rule):
    await refused(server_with(make, int), {rule: ["admin"]})


@ENGINES
async def test_f9_values_of_the_query_are_values(refused, make):
    said = await refused(server_with(make, int, "d://h{?n}", 7), {"d://h": ["read"], "d://h?n=7": ["admin"]})
    assert "the rule for 'd://h?n=7'" in said


@ENGINES
async def test_f9_a_rule_for_the_default_counts_where_the_query_is_left_out(serve, make):
    server = server_with(make, str, "d://h{?n}", "secret")
    async with serve(server, {"resources": {"d://h": ["read"], "d://h?n=secret": ["admin"]}}, **OPTIONS) as caller:
        for uri in ("d://h", "d://h?", "d://h?n=secret"):
            assert_short(await caller(scopes=["read"]).rpc("resources/read", {"uri": uri}), ["read", "admin"])
        assert "value" in (await caller(scopes=["read", "admin"]).rpc("resources/read", {"uri": "d://h"})).text


@ENGINES
async def test_control_a_resource_or_a_template_of_its_own_may_have_a_rule_next_to_a_number(serve, make):
    server = server_with(make, int)
    server.resource("d://h/index")(lambda: "the index") if make is FastMCP else server.resource("d://h/index", name="i")(_index)
    rules = {"d://h/{n}": ["read"], "D://h/index": ["list"]}
    async with serve(server, {"resources": rules}, **OPTIONS) as caller:
        assert "the index" in (await caller(scopes=["list", "read"]).rpc("resources/read", {"uri": "d://h/index"})).text
        assert_short(await caller().rpc("resources/read", {"uri": "d://h/7"}), ["read"])


def _index() -> str:
    return "the index"


async def test_f9_what_cannot_be_looked_into_keeps_nothing(refused):
    """The server behind a proxy may make a number of a value."""
    from fastmcp.server import create_proxy

    await refused(create_proxy(server_with(FastMCP, str)), {"d://h/7": ["admin"]})


async def test_f9_a_mounted_server_converts_too(refused):
    outer = FastMCP("outer")
    outer.mount(server_with(FastMCP, int), namespace="in")
    assert "'d://in/h/{n}'" in await refused(outer, {"d://in/h/7": ["admin"]})


@ENGINES
async def test_f9_what_is_added_later_needs_what_the_rule_says_for_every_value(serve, make, caplog):
    server = make("values")
    rules = {"d://h/7*": ["admin"], "d://h/*": ["read"]}
    async with serve(server, {"resources": rules}, **OPTIONS) as caller:
        server.resource("d://h/{n}")(_number)
        for value in ("7", "07", "8"):
            assert_short(await caller(scopes=["read"]).rpc("resources/read", {"uri": f"d://h/{value}"}), ["admin", "read"])
        assert "number 7" in (await caller(scopes=["read", "admin"]).rpc("resources/read", {"uri": "d://h/07"})).text
    told = [record.getMessage() for record in caplog.records if "some values of n" in record.getMessage()]
    assert len(told) == 1
    assert "the rule counts for every value" in told[0]


def _number(n: int) -> str:
    return f"number {n}"
