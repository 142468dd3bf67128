"""Every public name for tests shows an example, and the examples run."""

import inspect
import re
import textwrap

import pytest

import mcp_oauth2_deps.testing as public
from mcp_oauth2_deps.testing import plugin


def documented():
    """The docstring of each public name and of each public member that a class defines itself."""
    found = {"testing": public.__doc__, "oauth2_issuer": plugin.oauth2_issuer.__doc__}
    for name in public.__all__:
        value = getattr(public, name)
        found[name] = value.__doc__
        if inspect.isclass(value):
            members = {key: member for key, member in vars(value).items() if not key.startswith("_")}
            functions = {
                key: member for key, member in members.items() if callable(member) or isinstance(member, property | classmethod)
            }
            found.update({f"{name}.{key}": member.__doc__ for key, member in functions.items()})
    return found


DOCUMENTED = documented()
# `app` is the property of the issuer with faults added, and shows no other use.
BLOCKS = {name: re.findall(r" *```python\n(.*?) *```", text or "", re.DOTALL) for name, text in DOCUMENTED.items()}


@pytest.mark.parametrize("name", sorted(DOCUMENTED.keys() - {"FaultIssuer.app"}))
def test_a_public_name_has_an_example(name):
    assert "Example:" in (DOCUMENTED[name] or "")


@pytest.mark.parametrize("name", sorted(name for name, blocks in BLOCKS.items() if blocks))
def test_an_example_runs(name):
    for block in BLOCKS[name]:
        exec(compile(textwrap.dedent(block), name, "exec"), {})  # our own text


def test_examples_are_found():
    assert sum(map(len, BLOCKS.values())) >= 8
