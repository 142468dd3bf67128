import copy
import json
import pickle
from dataclasses import asdict

import pytest

from mcp_oauth2_deps import AccessToken
from mcp_oauth2_deps.models import ReadOnlyDict, ScopeRequirement
from mcp_oauth2_deps.protocol.encoding import read_only

CLAIMS = {"a": {"b": [1, {"c": 2}]}}


def test_claims_are_read_only_in_depth_and_still_plain_json():
    claims, _ = read_only(CLAIMS)
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
    claims, _ = read_only(CLAIMS)
    assert copy.deepcopy(claims) is claims
    assert pickle.loads(pickle.dumps(claims)) == claims
    assert type(copy.copy(claims)) is dict
    assert asdict(AccessToken(claims=claims))["claims"] == claims
    assert isinstance(claims, ReadOnlyDict)


@pytest.mark.parametrize("scopes", [[], ["a"], ["b", "a"], ["c"], ["a", "c", "d"], ["x"]], ids=repr)
def test_scopes_are_added_to_a_requirement_once(scopes):
    requirement = ScopeRequirement(("a", "b"), (("x", "y"),))
    assert requirement.with_all_of(scopes) == requirement + ScopeRequirement(tuple(scopes))
