"""The layer law: who may import whom, and how long anything may be."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "mcp_oauth2_deps"
MAX_MODULE_LINES = 250
MAX_FUNCTION_LINES = 40


def _files(pattern="**/*.py"):
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in sorted(ROOT.glob(pattern))]


def _imports(path):
    """Every module that the file names in an import, wherever it stands, and every `module.name` it takes from one."""
    package = ("mcp_oauth2_deps", *path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def _imported_of(path, forbidden):
    return sorted(name for name in _imports(path) if any(name == other or name.startswith(other + ".") for other in forbidden))


@pytest.mark.parametrize("path", [*_files("errors.py"), *_files("models.py")])
def test_errors_and_models_import_only_the_standard_library(path):
    assert {name.partition(".")[0] for name in _imports(path)} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", [*_files("protocol/**/*.py"), *_files("mcp/messages.py"), *_files("mcp/tool_scopes.py")])
def test_protocol_knows_no_store_clock_network_or_framework(path):
    forbidden = ("asyncio", "time", "httpx", "cachetools", "fastapi", "starlette", "logging", "mcp_oauth2_deps.stores")
    assert _imported_of(path, forbidden) == []


@pytest.mark.parametrize("path", _files("stores/**/*.py"))
def test_stores_know_no_framework_and_no_settings(path):
    assert _imported_of(path, ("fastapi", "starlette", "mcp_oauth2_deps.settings")) == []


@pytest.mark.parametrize("path", _files())
@pytest.mark.parametrize(("library", "only"), [("jose", "protocol/jws.py"), ("httpx", "stores/documents.py")])
def test_a_library_has_one_door(path, library, only):
    if path != ROOT / only:
        assert _imported_of(path, (library,)) == []


@pytest.mark.parametrize("path", _files())
def test_a_module_has_at_most_250_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", _files())
def test_a_function_has_at_most_40_lines(path):
    too_long = [
        f"{node.name}: {node.end_lineno - node.lineno}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_the_laws_see_the_package():
    assert len(_files()) > 10
    assert "jose.backends.base" in _imports(ROOT / "protocol/jws.py")
