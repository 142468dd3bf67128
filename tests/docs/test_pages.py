"""Do README.md and the documentation say what the code says, and do their links lead somewhere?"""

import re
import tomllib

import pytest
from snippets import PAGES, ROOT

import mcp_oauth2_deps
from mcp_oauth2_deps import errors

BLOB = "https://github.com/mcp-oauth2-deps/mcp-oauth2-deps/blob/main/"
RAW = "https://raw.githubusercontent.com/mcp-oauth2-deps/mcp-oauth2-deps/main/"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_readme_is_one_screen_of_links():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 140


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith((BLOB, RAW)):
            path = ROOT / target.removeprefix(BLOB).removeprefix(RAW).partition("#")[0]
        elif target.startswith(("https://", "#")):
            continue
        else:
            # A package index shows README.md, where a relative link leads nowhere.
            assert page.name != "README.md", target
            path = page.parent / target.partition("#")[0]
        assert path.exists(), target


def test_files_and_folders_that_are_named_exist():
    for page in PAGES:
        for name in re.findall(r"`((?:tests|examples|docs|mcp_oauth2_deps)/[\w./-]*)`", page.read_text("utf-8")):
            assert (ROOT / name).exists(), (page.name, name)


def test_every_reason_has_a_row_in_why_401():
    documented = set(re.findall(r"`([a-z_]+)`", errors.__doc__.partition("Reasons")[2]))
    rows = re.findall(r"^\| \d+ \| (.*?) \|", (ROOT / "docs" / "why-401.md").read_text("utf-8"), re.MULTILINE)
    explained = set(re.findall(r"`([a-z_0-9]+)`", " ".join(rows)))
    assert len(documented) > 15
    assert documented <= explained
    assert {"missing_credentials", "insufficient_scope", "issuer_unavailable"} <= explained


def test_every_rule_that_code_or_tests_point_at_is_written_down():
    written = set(re.findall(r"^- ([A-F]\d+) ", (ROOT / "docs" / "rules.md").read_text("utf-8"), re.MULTILINE))
    assert len(written) > 40
    for folder in ("mcp_oauth2_deps", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            named = set(re.findall(r"\brules? ([A-F]\d+)\b", path.read_text("utf-8")))
            assert named <= written, path


def test_the_reference_has_every_public_name():
    listed = re.findall(r"members: \[(.*)\]", (ROOT / "docs" / "reference.md").read_text("utf-8"))
    shown = {name for names in listed for name in names.split(", ")}
    assert shown == set(mcp_oauth2_deps.__all__) - {"errors", "OAuth2Error", "providers"}


def test_the_changelog_tells_of_this_version():
    changelog = (ROOT / "docs" / "changelog.md").read_text("utf-8")
    versions = re.findall(r"^## \[?([\w.]+)\]?", changelog, re.MULTILINE)
    assert "Keep a Changelog" in changelog
    assert versions[0] in {"Unreleased", PROJECT.get("version")}
    assert len(versions) == len(set(versions))


def test_no_word_that_the_house_has_banned():
    banned = re.compile(r"\b(all the same|in hand|anew|lodger)\b", re.IGNORECASE)
    for page in PAGES:
        assert not banned.search(page.read_text("utf-8")), page.name
