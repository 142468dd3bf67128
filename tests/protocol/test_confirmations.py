"""To what a `cnf` claim binds a token, and who could prove it."""

import pytest

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import Confirmation
from mcp_oauth2_deps.protocol.confirmations import read_confirmation, verify_provable


@pytest.mark.parametrize("members", [{"jkt": "x"}, {"jkt": "x", "new": None}], ids=repr)
def test_the_members_of_an_object_are_what_can_be_proven(members):
    assert read_confirmation({"cnf": members}) == Confirmation(members)


@pytest.mark.parametrize("cnf", [{}, None, False, True, 0, 1, "", "jkt", [], ["jkt"], ("jkt",), [{"jkt": "x"}]], ids=repr)
def test_a_claim_of_any_type_binds_but_what_is_no_object_has_no_member(cnf):
    assert read_confirmation({"cnf": cnf}) == Confirmation({})


def test_without_the_claim_there_is_no_binding():
    assert read_confirmation({"jkt": "x", "CNF": {"jkt": "x"}}) is None


@pytest.mark.parametrize("members", [{"jkt": "x"}, {"jkt": "x", "x5t#S256": "y"}, {"jkt": None}], ids=repr)
def test_a_binding_of_which_every_member_can_be_proven_passes(members):
    confirmation = Confirmation(members)
    assert verify_provable(confirmation, {"jkt", "x5t#S256"}) is confirmation


@pytest.mark.parametrize(
    ("confirmation", "provable"),
    [
        (None, {"jkt"}),
        (Confirmation({}), {"jkt"}),
        (Confirmation({}), set()),
        (Confirmation({"jkt": "x"}), set()),
        (Confirmation({"jkt": "x"}), {"x5t#S256"}),
        (Confirmation({"jkt": "x", "new": "y"}), {"jkt"}),
        (Confirmation({"JKT": "x"}), {"jkt"}),
    ],
    ids=repr,
)
def test_what_nobody_can_prove_is_refused(confirmation, provable):
    with pytest.raises(InvalidTokenError) as refusal:
        verify_provable(confirmation, provable)
    assert (refusal.value.reason, refusal.value.claim) == ("binding", "cnf")
