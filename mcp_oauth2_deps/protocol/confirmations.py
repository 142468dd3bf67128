"""What a token is bound to, and whether anybody here could prove to hold it (RFC 7800 section 3.1).

How a proof is made and checked does not belong here.
"""

from collections.abc import Collection, Mapping
from typing import Any

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import Confirmation


def read_confirmation(claims: Mapping[str, Any]) -> Confirmation | None:
    """What the claim `cnf` binds the token to; none without that claim.

    A claim of any type binds. One that is no object, `null` for example, binds to something that has no name.
    """
    if "cnf" not in claims:
        return None
    members = claims["cnf"]
    return Confirmation(members if isinstance(members, Mapping) else {})


def verify_provable(confirmation: Confirmation | None, provable: Collection[str]) -> Confirmation:
    """Guarantees that the token is bound, and that for every member of the binding there is somebody who checks proofs.

    A member that nobody knows could be the one that matters, so it is refused, never ignored.

    Does not check: any proof.

    Args:
        confirmation: what the token is bound to.
        provable: the members for which proofs are checked.

    Raises:
        InvalidTokenError: `binding`.
    """
    if confirmation is None or not confirmation.members or not confirmation.members.keys() <= set(provable):
        raise InvalidTokenError("binding", claim="cnf")
    return confirmation
