"""Skills of FastMCP: folders served as resources, and by methods of an extension that ask for the same resources."""

import json

import pytest
from behind.worlds import MODERN, QUICK, read, said
from fastmcp import FastMCP
from fastmcp.server.providers.skills import SkillProvider, SkillsDirectoryProvider
from fastmcp.skills.extension import SkillsExtension

SECRET, PUBLIC = "the words of the vault", "the words of the hall"
TABLE = {"resources": {"skill://vault/*": ["vault"]}, "default": "method"}


@pytest.fixture
def folder(tmp_path):
    for name, words in (("vault", SECRET), ("hall", PUBLIC)):
        (tmp_path / name).mkdir()
        text = f"---\nname: {name}\ndescription: {words}\n---\n{words}\n"
        (tmp_path / name / "SKILL.md").write_text(text, "utf-8")
        (tmp_path / name / "more.md").write_text(words, "utf-8")
    return tmp_path


def directory(folder):
    server = FastMCP("skills")
    server.add_provider(SkillsDirectoryProvider(folder))
    return server


def single(folder):
    server = FastMCP("skills")
    for name in ("vault", "hall"):
        server.add_provider(SkillProvider(folder / name))
    return server


@pytest.mark.parametrize("build", [directory, single])
async def test_a_skill_that_is_closed_is_read_by_nobody_else(guarded, folder, build):
    async with guarded(build(folder), TABLE, list_filter=True, **QUICK) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        for file in ("SKILL.md", "more.md"):
            assert SECRET in await said(alice, read(f"skill://vault/{file}"))
            assert PUBLIC in await said(bob, read(f"skill://hall/{file}"))
            for uri in (
                f"skill://vault/{file}",
                f"SKILL://VAULT/{file}",
                f"skill://vault/./{file}",
                f"skill://hall/../vault/{file}",
            ):
                assert SECRET not in await said(bob, read(uri))
        for method in ("resources/list", "resources/templates/list"):
            assert "skill://vault/" in await said(alice, (method, {}))
            listed = await said(bob, (method, {}))
            assert "skill://vault/" not in listed
            assert "skill://hall/" in listed


@pytest.mark.parametrize("listed", [True, False])
async def test_the_methods_of_the_extension_ask_as_reading_does(guarded, folder, listed):
    server = FastMCP("skills")
    provider = SkillsDirectoryProvider(folder, experimental_skills=True)
    server.add_provider(provider)
    server.add_extension(SkillsExtension(providers=[provider]))
    async with guarded(server, TABLE, list_filter=listed, **QUICK) as caller:
        alice, bob = caller("alice", "vault", revision=MODERN), caller("bob", revision=MODERN)
        found = json.loads(await said(alice, ("skills/list", {})))["result"]["skills"]
        uris = {skill["uri"] for skill in found}
        assert {uri for uri in uris if "vault" in uri}
        closed = next(uri for uri in uris if "vault" in uri)
        assert SECRET in await said(alice, ("skills/get", {"uri": closed}))
        assert SECRET not in await said(bob, ("skills/get", {"uri": closed}))
        names = await said(bob, ("skills/list", {}))
        assert PUBLIC in names
        assert SECRET not in names
