"""What the values that pass from room to room promise: read-only, comparable, copyable."""

import ast
import copy
import json
import pickle
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from mcp_oauth2_deps import AccessToken, models
from mcp_oauth2_deps.models import ReadOnlyDict
from mcp_oauth2_deps.protocol.encoding import read_only

CLAIMS = {"a": {"b": [1, {"c": 2}]}}


def test_claims_are_read_only_in_depth_and_still_plain_json():
    claims = read_only(CLAIMS)
    assert json.dumps(claims) == json.dumps(CLAIMS)
    for change in (
        lambda: claims.__setitem__("x", 1),
        lambda: claims["a"].update(x=1),
        lambda: claims["a"]["b"][1].pop("c"),
        lambda: claims["a"].__ior__({"x": 1}),
    ):
        with pytest.raises(TypeError):
            change()


def test_copies_work():
    claims = read_only(CLAIMS)
    assert copy.deepcopy(claims) is claims
    assert pickle.loads(pickle.dumps(claims)) == claims
    assert type(copy.copy(claims)) is dict
    assert asdict(AccessToken(claims=claims))["claims"] == claims
    assert isinstance(claims, ReadOnlyDict)


def test_a_token_takes_any_collection_of_scopes_and_holds_a_frozen_set():
    for scopes in ({"a", "b"}, ["a", "b"], ("a", "b"), frozenset({"a", "b"}), (scope for scope in "ab")):
        token = AccessToken(scopes=scopes)
        assert type(token.scopes) is frozenset
        assert token.scopes == {"a", "b"}


def test_a_string_is_no_collection_of_scopes():
    with pytest.raises(TypeError, match="not one string"):
        AccessToken(scopes="a b")


def test_the_constructor_that_type_checkers_see_takes_the_fields_in_their_order():
    tree = ast.parse(Path(models.__file__).read_text("utf-8"))
    token = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AccessToken")
    constructor = next(node for node in ast.walk(token) if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    assert [argument.arg for argument in constructor.args.args[1:]] == [each.name for each in fields(AccessToken)]
    assert len(constructor.args.defaults) == len(fields(AccessToken))
