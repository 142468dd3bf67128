"""docs/settings.md and .env.example say of each setting what its field says in the code."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOW = "run: uv run python docs/settings_page.py"


def test_the_page_holds_the_table_of_the_fields(writer):
    text = writer.PAGE.read_text("utf-8")
    assert writer.page(text) == text, HOW


def test_the_example_file_says_the_same(writer):
    text = writer.EXAMPLE.read_text("utf-8")
    assert writer.example(text) == text, HOW


def test_every_setting_says_what_it_means_and_has_a_row(writer):
    table = writer.table()
    for name, field in writer.settings().items():
        assert field.description.endswith("."), name
        assert f"| `{name.upper()}` | {writer.default(field)} | {writer.meaning(field)} |\n" in table
        assert writer.default(field) not in {"``", "`none`", "`{}`"}, f"{name}: its default needs words"
        assert not set("|\n") & {*writer.default(field), *writer.meaning(field)}, name


def test_a_setting_that_is_added_or_reworded_is_noticed(writer):
    table = writer.table()
    assert (
        writer.page(f"before{writer.START}{table.replace('30', '31')}{writer.END}after")
        == f"before{writer.START}{table}{writer.END}after"
    )
    text = writer.EXAMPLE.read_text("utf-8")
    shorter = text.replace("#MCP_OAUTH2_LEEWAY=30\n", "")
    assert "#MCP_OAUTH2_LEEWAY=\n" in writer.example(shorter)
