"""What the installed engines ship, read from their sources: also what cannot be imported without another package."""

import ast
import importlib.util
from functools import cache
from pathlib import Path

PACKAGES = ("fastmcp", "fastmcp_tasks", "mcp")
# What a message, a list or a look-up passes through on its way.
ROOTS = frozenset({"Middleware", "Transform", "Provider", "ServerExtension", "Extension", "ServerMiddleware"})


def _name(base):
    base = base.value if isinstance(base, ast.Subscript) else base
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


@cache
def _classes(package):
    """Every class of a package, with the names of its bases."""
    spec = importlib.util.find_spec(package)
    root = Path(spec.origin).parent if spec else None
    found = {}
    for path in sorted(root.rglob("*.py")) if root else ():
        module = ".".join((package, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[f"{module}.{node.name}"] = {_name(base) for base in node.bases}
    return found


def shipped():
    """Every class that stands between a message and what it asks for: middleware, transforms, providers and extensions."""
    classes = {name: bases for package in PACKAGES for name, bases in _classes(package).items()}
    known = set(ROOTS)
    while new := {name.rpartition(".")[2] for name, bases in classes.items() if bases & known} - known:
        known |= new
    return {
        name
        for name, bases in classes.items()
        if not name.startswith("mcp.client.") and (bases & known or name.endswith(("Middleware", "Boundary", ".Extension")))
    }
