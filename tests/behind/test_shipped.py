"""Nothing that an engine ships stays unlooked at: a release with a new way to something fails here, and says what to do."""

import pytest
from behind import shipped, surface
from behind.rows import FASTMCP, SDK

LOOKED_AT = {**FASTMCP, **SDK}


def test_every_class_that_stands_between_a_message_and_what_it_asks_for_is_looked_at():
    found = shipped.shipped()
    assert [f"{name} is not looked at; add a row to tests/behind/rows.py" for name in sorted(found - set(LOOKED_AT))] == []
    assert [f"{name} is shipped no more; delete its row" for name in sorted(set(LOOKED_AT) - found)] == []


def test_every_name_that_a_tool_can_call_is_looked_at():
    assert surface.unknown_names() == []


def test_a_new_class_or_name_would_be_noticed(monkeypatch):
    monkeypatch.setattr(
        shipped, "_classes", lambda package: {f"{package}.new.Sly": {"Unseen"}, f"{package}.new.Unseen": {"Transform"}}
    )
    assert shipped.shipped() == {f"{package}.new.{name}" for package in shipped.PACKAGES for name in ("Sly", "Unseen")}
    monkeypatch.setattr(surface.MCPServer, "call_anything", lambda self: None, raising=False)
    [told] = surface.unknown_names()
    assert "MCPServer.call_anything is not looked at" in told


@pytest.mark.parametrize("package", shipped.PACKAGES)
def test_the_sources_of_an_engine_are_found(package):
    assert len(shipped._classes(package)) > 10
