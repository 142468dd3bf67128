"""Every class that FastMCP ships, put to work behind the guard: what is closed stays closed, and nobody gets another's answer."""

import pytest
from behind.rows import FASTMCP
from behind.worlds import QUICK, Row, leaks, world

ROWS = [
    pytest.param(row, means, id=f"{name.rpartition('.')[2]}-{means}")
    for name, row in FASTMCP.items()
    if isinstance(row, Row)
    for means in row.means
]


async def outcome(guarded, row, means):
    table = row.names.table() if means == "table" else {"default": "method"}
    # What FastMCP's own `auth=` closes, its own lists leave out.
    async with guarded(row.build(means), table, list_filter=means != "engine", **QUICK) as caller:
        return await leaks(caller("alice", "vault"), caller("bob"), row, means)


@pytest.mark.parametrize(("row", "means"), ROWS)
async def test_what_is_closed_stays_closed_and_everybody_gets_an_answer_of_their_own(guarded, row, means):
    assert await outcome(guarded, row, means) == []


@pytest.mark.parametrize(
    ("kind", "means"), [("sdk", "table"), ("sdk", "decorator"), *(("fastmcp", means) for means in Row.means)]
)
async def test_without_anything_between_it_holds_too(guarded, kind, means):
    assert await outcome(guarded, Row(lambda means: world(kind, means)), means) == []


async def test_the_suite_sees_a_leak(guarded):
    """Its own control: a server where nothing is closed."""
    row = Row(lambda means: world("fastmcp", "table"))
    async with guarded(row.build("table"), {"default": "method"}, **QUICK) as caller:
        wrong = await leaks(caller("alice", "vault"), caller("bob"), row, "table")
    assert "Bob gets the tool" in wrong
    assert "Bob finds it in tools/list" in wrong
