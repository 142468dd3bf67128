"""Does docs/providers.md have a line for each provider, and does each line work?"""

import re
from pathlib import Path

import pytest

from mcp_oauth2_deps.providers import ProviderError
from mcp_oauth2_deps.providers.by_name import PRESETS
from mcp_oauth2_deps.providers.parsing import policies_of

PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text("utf-8")
TABLE = PAGE.partition("## What works")[2].partition("\n## ")[0]
LINES = sorted(set(re.findall(rf"`((?:{'|'.join(PRESETS)}) [^`]+)`", TABLE)))
# What stands in the table for a value of the reader's own.
STANDS_FOR = {
    "GUID": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "SLUG": "slug",
    "REF": "ref",
    "TAG": "4714c1358e65",
    "...": "x",
    "ID": "1",
}


def filled(line):
    for name, value in STANDS_FOR.items():
        line = re.sub(rf"(?<![a-z]){re.escape(name)}(?![a-z])", value, line)
    return line


@pytest.mark.parametrize("line", LINES)
def test_each_line_of_the_table_works(line):
    assert {policy.provider for policy in policies_of(filled(line))} == {line.split()[0]}


def test_every_provider_has_a_line_or_the_word_that_it_cannot():
    assert {line.split()[0] for line in LINES} == set(PRESETS) - {"google", "github"}
    for name, row in {"google": "[Google]", "github": "[GitHub]"}.items():
        assert re.search(rf"^\| {re.escape(row)}.*\*\*cannot\*\*.*authorization server in front", TABLE, re.MULTILINE)
        with pytest.raises(ProviderError, match="Put an authorization server in front"):
            policies_of(name)


def test_the_table_marks_what_is_warned_of():
    for line in LINES:
        warned = any(policy.warnings for policy in policies_of(filled(line)))
        row = next(row for row in TABLE.splitlines() if f"`{line}`" in row)
        assert not warned or "WARNING" in row or "`client=ID`" in row, line
