"""What users may name: the names, how each is called, and that these names are enough to build and to call all of them.

The snapshot makes a change of the public surface deliberate. `uv run python tests/test_public_api.py` writes it again; read the
difference, and say it in the changelog.
"""

import inspect
import re
import types
import typing
from pathlib import Path

import pytest

import mcp_oauth2_deps
import mcp_oauth2_deps.errors
import mcp_oauth2_deps.mcp
import mcp_oauth2_deps.providers
import mcp_oauth2_deps.testing

PACKAGE = "mcp_oauth2_deps"
SNAPSHOT = Path(__file__).parent / "support/public_api.txt"
MODULES = (mcp_oauth2_deps, mcp_oauth2_deps.errors, mcp_oauth2_deps.mcp, mcp_oauth2_deps.providers, mcp_oauth2_deps.testing)
# What FastAPI and pydantic ask of a class, and what the routes ask of a table of scopes.
NOT_FOR_USERS = {"model", "scheme_name", "auto_error", "gate", "settings_customise_sources"}
NOT_FOR_USERS |= {"asks_whether_ruled", "cannot_compare", "for_values_of", "needed_for", "rules_without"}
_IN_A_MODULE = re.compile(r"\b(?:mcp_oauth2_deps|collections|typing|fastapi|starlette|pathlib)\.(?:\w+\.)*(?=\w)")


def names_of(module):
    if hasattr(module, "__all__"):
        return module.__all__
    return sorted(name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__)


def public_things():
    """Every public thing by its full name."""
    for module in MODULES:
        for name in names_of(module):
            thing = getattr(module, name)
            if not isinstance(thing, types.ModuleType):
                yield f"{module.__name__}.{name}", thing


def members_of(kind):
    """What a user may call or read of an object of this class, as far as this package defines it."""
    seen = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith(PACKAGE):
            seen |= {name: value for name, value in vars(base).items() if not name.startswith(("_", "model_"))}
    return {name: value for name, value in sorted(seen.items()) if name not in NOT_FOR_USERS}


def function_of(member):
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def constructor_of(kind):
    return kind.__init__ if inspect.isfunction(kind.__init__) else kind.__new__


def shown(function):
    """The signature with its annotations, without the modules they are from, which are private.

    Objects in defaults are left out: they would be shown by their address.
    """
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(default=parameter.default if isinstance(parameter.default, str | int | float | tuple | None) else ...)
        if parameter.default is not inspect.Parameter.empty
        else parameter
        for parameter in signature.parameters.values()
    ]
    text = _IN_A_MODULE.sub("", str(signature.replace(parameters=parameters)).replace("Ellipsis", "..."))
    # As Python 3.14 writes it.
    return re.sub(r"Optional\[(Literal\[[^]]*\])\]", r"\1 | None", text)


def described():
    for full, thing in public_things():
        if not callable(thing):
            yield f"{full} = {thing!r}"
            continue
        if not isinstance(thing, type):
            yield f"{full}{shown(thing.__call__ if not inspect.isroutine(thing) else thing)}"
            continue
        bases = ", ".join(
            base.__name__ for base in thing.__bases__ if base.__module__.startswith(PACKAGE) and base.__name__[0] != "_"
        )
        yield f"class {full}({bases}){shown(constructor_of(thing))}"
        yield from (f"    {name}" for name in sorted(getattr(thing, "model_fields", {})))
        for name, member in members_of(thing).items():
            if isinstance(member, property):
                yield f"    {name}{shown(member.fget)}"
            elif inspect.isfunction(function_of(member)):
                asynchronous = "async " if inspect.iscoroutinefunction(function_of(member)) else ""
                yield f"    {asynchronous}{name}{shown(function_of(member))}"


def kinds_in(annotation):
    """Every class of this package in an annotation."""
    if isinstance(annotation, type) and annotation.__module__.startswith(PACKAGE):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from kinds_in(argument)


def required(function):
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is inspect.Parameter.empty and parameter.name not in {"self", "cls"}:
            yield parameter


def test_the_public_names_and_signatures_are_those_of_the_snapshot():
    assert list(described()) == SNAPSHOT.read_text("utf-8").splitlines(), __doc__


@pytest.mark.parametrize(
    "module", [module for module in MODULES if hasattr(module, "__all__")], ids=lambda module: module.__name__
)
def test_all_is_sorted_and_complete(module):
    assert list(module.__all__) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    imported = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not (isinstance(value, types.ModuleType) and name not in module.__all__)
    }
    assert imported == set(module.__all__)


def test_everything_public_is_built_and_called_with_public_names():
    public = {thing for _, thing in public_things()}
    missing = []
    for full, thing in public_things():
        functions = {full: constructor_of(thing) if isinstance(thing, type) else thing}
        if isinstance(thing, type):
            functions |= {f"{full}.{name}": function_of(member) for name, member in members_of(thing).items()}
        for name, function in functions.items():
            if inspect.isfunction(function):
                for parameter in required(function):
                    missing += [
                        f"{name} takes a {kind.__name__}" for kind in kinds_in(parameter.annotation) if kind not in public
                    ]
    assert missing == []


async def test_what_is_public_is_enough_without_fastapi(issuer):
    """A key source, a key store, a policy and an authenticator of one's own, and a request judged by it."""
    from mcp_oauth2_deps import (
        AccessToken,
        Authenticator,
        Document,
        DocumentSource,
        JWKSStore,
        OAuth2Error,
        OAuth2Settings,
        Presented,
        TokenPolicy,
    )

    class Documents:
        async def fetch(self, url: str) -> Document:
            return Document(issuer.jwks() if url.endswith("/jwks") else issuer.metadata())

    documents: DocumentSource = Documents()
    settings = OAuth2Settings(issuer=issuer.url, resource=issuer.audience)
    authenticator = Authenticator(settings, documents=documents)
    presented = Presented(issuer.token(subject="alice"), method="POST", url=issuer.audience)
    token = await authenticator.authenticate(presented)
    assert isinstance(token, AccessToken)
    assert (token.subject, (await authenticator.verify(presented.token)).subject) == ("alice", "alice")
    with pytest.raises(OAuth2Error):
        await authenticator.verify("garbage")
    assert issuer.key.kid in (await JWKSStore(documents).key_set(issuer.url)).key_ids
    (policy,) = authenticator.policies
    assert policy == TokenPolicy(issuers=(issuer.url,), audiences=(issuer.audience,), algorithms=policy.algorithms)


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(described()) + "\n", "utf-8")
