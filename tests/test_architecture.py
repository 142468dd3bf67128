"""The laws of the house: who may import whom, and how long anything may be. `docs/design.md` says them in words."""

import ast
import re
import sys
from pathlib import Path

PACKAGE = "mcp_oauth2_deps"
ROOT = Path(__file__).parents[1] / PACKAGE
DESIGN = Path(__file__).parents[1] / "docs/design.md"
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40

# From the top down. A room imports only from rooms on lines below its own; the same list stands in docs/design.md.
ROOMS = (
    ("demo",),
    ("__init__",),
    ("testing",),
    ("mcp",),
    ("fastapi",),
    ("authenticator",),
    ("trusted_issuers",),
    ("settings",),
    ("setting_sources",),
    ("setting_policies",),
    ("providers",),
    ("issuer_policy",),
    ("setting_rules",),
    ("setting_errors",),
    ("explanations",),
    ("introspection_verifier",),
    ("jwt_verifier",),
    ("verifiers",),
    ("introspection_policy",),
    ("stores",),
    ("instrumentation",),
    ("events",),
    ("protocol",),
    ("models", "errors"),
)
# Files that import a package; nobody else may.
DOORS = {
    "jose": ("protocol/jws.py",),
    "httpx": ("stores/documents.py",),
    "redis": ("stores/redis.py",),
    # The demo is an app like a user's: it makes a server, and it is a client.
    "mcp": ("mcp/engines/", "demo/"),
    "mcp_types": ("mcp/engines/", "demo/"),
    "fastmcp": ("mcp/engines/",),
    "fastapi": ("fastapi/", "mcp/", "testing/", "demo/"),
    "starlette": ("fastapi/", "mcp/", "testing/", "demo/"),
}
PURE = (
    "protocol/",
    "mcp/messages.py",
    "mcp/rule_values.py",
    "mcp/tool_scopes.py",
    "mcp/uris.py",
    "mcp/uri_patterns.py",
    "mcp/uri_hosts.py",
    "mcp/uri_queries.py",
    "mcp/uri_values.py",
)
IMPURE = ("asyncio", "time", "socket", "threading", "httpx", "cachetools", "fastapi", "starlette", "logging")


def _sources():
    """Source by path below the package."""
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}


def _imports(path, source):
    """Every module that the file names in an import, wherever it stands, and every `module.name` it takes from one.

    An import inside of a function or under `if TYPE_CHECKING:` counts like any other.
    """
    package = (PACKAGE, *Path(path).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def _named(imports, packages):
    return sorted(name for name in imports if any(name == other or name.startswith(other + ".") for other in packages))


def _graph(sources):
    """For each file the files of this package that it imports."""
    files = {}
    for path in sources:
        parts = [PACKAGE, *Path(path).with_suffix("").parts]
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {
        path: {files[name] for name in _imports(path, source) if name in files and files[name] != path}
        for path, source in sources.items()
    }


def _room(path):
    return Path(path).parts[0].removesuffix(".py")


def _circles(graph):
    """Files that reach themselves, each with what it reaches them by."""
    reached = {path: set(found) for path, found in graph.items()}
    for middle in graph:
        for start in graph:
            if middle in reached[start]:
                reached[start] |= reached[middle]
    return sorted(path for path in graph if path in reached[path])


def _climbs(graph, rooms):
    floors = {room: floor for floor, line in enumerate(rooms) for room in line}
    return sorted(
        f"{path} imports {other}"
        for path, found in graph.items()
        for other in found
        if _room(path) != _room(other) and floors.get(_room(path), 99) >= floors.get(_room(other), -1)
    )


def _outside_of_doors(sources, doors):
    return sorted(
        f"{path} imports {name}"
        for path, source in sources.items()
        for package, allowed in doors.items()
        if not path.startswith(allowed)
        for name in _named(_imports(path, source), (package,))
    )


def _rooms_in_words():
    """The lines of the room list in the design page: names at the start of the line, the rest is said of them."""
    block = re.search(r"```text\n(.*?)```", DESIGN.read_text("utf-8"), re.DOTALL).group(1)
    lines = [line for line in block.splitlines() if line and not line.startswith(" ")]
    return tuple(
        tuple(name.removesuffix(".py").removesuffix("/") for name in re.split(r" {2,}", line)[0].split()) for line in lines
    )


def test_no_file_imports_itself_through_others():
    assert _circles(_graph(_sources())) == []


def test_rooms_import_only_downward():
    assert _climbs(_graph(_sources()), ROOMS) == []


def test_every_room_has_its_line_and_every_line_its_room():
    assert sorted(room for line in ROOMS for room in line) == sorted({_room(path) for path in _sources()})


def test_the_design_page_lists_the_same_rooms():
    assert _rooms_in_words() == ROOMS


def test_the_design_page_has_a_line_for_every_file_of_a_room_that_it_opens():
    """And for none that is gone. Where a room has no lines below its own, its own says enough."""
    block = re.search(r"```text\n(.*?)```", DESIGN.read_text("utf-8"), re.DOTALL).group(1)
    rooms = {
        room: set(re.findall(r"\S+\.py\b", lines)) for room, lines in re.findall(r"^(\w+)/.*\n((?: .*\n)*)", block, re.MULTILINE)
    }
    opened = {room: names for room, names in rooms.items() if names}
    assert set(opened) >= {"fastapi", "mcp", "providers", "protocol", "stores"}
    assert opened == {room: {path.name for path in (ROOT / room).glob("*.py") if path.name != "__init__.py"} for room in opened}


def test_a_package_has_one_door():
    assert _outside_of_doors(_sources(), DOORS) == []


def test_errors_and_models_import_only_the_standard_library():
    sources = _sources()
    found = {name for path in ("errors.py", "models.py") for name in _imports(path, sources[path])}
    assert sorted(name for name in found if name.partition(".")[0] not in sys.stdlib_module_names) == []


def test_what_is_pure_knows_no_clock_network_framework_or_log():
    offenders = [
        f"{path} imports {name}"
        for path, source in _sources().items()
        if path.startswith(PURE)
        for name in _named(_imports(path, source), IMPURE)
    ]
    assert offenders == []


def test_texts_below_the_settings_name_settings_and_no_environment_variables():
    """Who configures in code has no such variables; what reads the environment adds the prefix (`spelled_out`)."""
    below = ("errors.py", "models.py", "protocol/", "stores/")
    sources = {path: source for path, source in _sources().items() if path.startswith(below)}
    assert len(sources) > 10
    assert [path for path, source in sources.items() if "MCP_OAUTH2_" in source] == []


def test_a_module_has_at_most_300_lines():
    lengths = {path: len(source.splitlines()) for path, source in _sources().items()}
    assert {path: length for path, length in lengths.items() if length > MAX_MODULE_LINES} == {}


def test_a_function_has_at_most_40_lines():
    too_long = [
        f"{path} {node.name}: {node.end_lineno - node.lineno}"
        for path, source in _sources().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_the_laws_see_what_they_forbid():
    planted = {
        "errors.py": f"def late():\n    from {PACKAGE}.protocol import keys\n",
        "protocol/keys.py": f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {PACKAGE}.errors import OAuth2Error\n",
        "protocol/jws.py": "import jose.jws",
        "protocol/tokens.py": "from ..protocol.jws import jose\nfrom jose import jwt",
    }
    graph = _graph(planted)
    assert _circles(graph) == ["errors.py", "protocol/keys.py"]
    assert _climbs(graph, ROOMS) == ["errors.py imports protocol/keys.py"]
    assert graph["protocol/tokens.py"] == {"protocol/jws.py"}
    found = _outside_of_doors(planted, {"jose": ("protocol/jws.py",)})
    assert found == ["protocol/tokens.py imports jose", "protocol/tokens.py imports jose.jwt"]


def test_the_laws_read_the_whole_package():
    sources = _sources()
    assert len(sources) > 60
    # Each package has a door that is used, or is not installed by anybody yet.
    used = {
        package
        for package, doors in DOORS.items()
        for path, source in sources.items()
        if path.startswith(doors) and _named(_imports(path, source), (package,))
    }
    assert used >= {"jose", "httpx", "mcp", "fastmcp", "fastapi", "starlette"}
    assert any(path.startswith(PURE) for path in sources)
