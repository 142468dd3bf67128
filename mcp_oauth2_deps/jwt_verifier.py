"""A raw JWT to a verified token: the rules in their order, with the keys of its issuer.

What the caller may do with the token does not belong here, nor whether the caller is the one it was issued to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import AccessToken, Confirmation, Presented, Verified
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, parse_json_object, text_or_none
from mcp_oauth2_deps.protocol.jws import (
    SignatureKey,
    UnverifiedHeader,
    UnverifiedToken,
    read_header,
    split_token,
    verify_signature,
)
from mcp_oauth2_deps.protocol.keys import KeySet
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.token_forms import looks_like_jwt
from mcp_oauth2_deps.protocol.tokens import client_of, unverified_issuer, verify_claims, verify_header, verify_issuer
from mcp_oauth2_deps.stores.issuer_keys import IssuerKeys

# An issuer has one for each of its keys.
_MOST_HEADERS = 256


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted issuer: what its tokens must be, and where its keys are.

    Attributes:
        name: its name, to the byte.
        policy: what its tokens must be.
        keys: its keys.
        is_trusted: whether it still is, where that is not for ever.
    """

    name: str
    policy: TokenPolicy
    keys: IssuerKeys
    is_trusted: Callable[[], bool] | None = None

    def evidence(self, key_set: KeySet) -> Callable[[], bool]:
        """Whether that for which a token was found good is still so: its key, and that its issuer is trusted."""
        if self.is_trusted is None:
            return partial(self.keys.are, key_set)
        return lambda: self.keys.are(key_set) and (self.is_trusted is None or self.is_trusted())


class Issuers(Protocol):
    """Which issuers are trusted."""

    def find(self, issuer: str) -> Issuer | None:
        """The trusted issuer of this name, to the byte; none when it is not known to be trusted."""

    async def look_up(self, issuer: str) -> Issuer | None:
        """The same, where it is not known and somebody must be asked. The name is anybody's word.

        Raises:
            StoreUnavailableError: nobody can say at the moment.
        """


class JWTVerifier:
    """Guarantees that a JWT is a signed access token of a trusted issuer for this resource, valid now."""

    def __init__(self, policy: TokenPolicy, issuers: Issuers, now: Callable[[], float]) -> None:
        """Nothing is fetched yet.

        Args:
            policy: what a header must be, whoever the issuer is. It is asked before anything else of a token is read; after that
                the policy of its issuer is asked too.
            issuers: whom to trust.
            now: epoch seconds, for the claims.
        """
        self._policy = policy
        self._issuers = issuers
        self._now = now
        self._headers: dict[bytes, tuple[UnverifiedHeader, TokenPolicy]] = {}

    async def verify(self, presented: Presented) -> Verified | None:
        """The verified token, with the binding that its caller has yet to prove; none for what nobody takes for a JWT.

        Does not check: the binding, scopes, whether the token was revoked at the issuer.

        Raises:
            InvalidTokenError: it is no such token; the reason says why.
            IssuerUnavailableError: the keys to judge it cannot be had.
            StoreUnavailableError: nobody can say whether its tenant is trusted.
        """
        read = self._read(presented.token)
        if read is None:
            return None
        token, (header, verified_by) = read
        # An error is given what is known so far, for the log. Until the signature holds, subject and client are anybody's word.
        try:
            claims = _parse(token.payload)
            name = unverified_issuer(claims)
            issuer = verify_issuer(name, self._issuers.find(name) or await self._issuers.look_up(name))
        except InvalidTokenError as error:
            error.key_id = header.kid
            raise
        # What one issuer may write into a header, another may not: that a policy let it pass says nothing of other policies.
        if verified_by is not issuer.policy:
            _verify_header(header, issuer)
        try:
            key_set = issuer.keys.current()
            key = None if key_set is None else key_set.select(header)
            if key_set is None or key is None:
                key_set, key = await _look_up(header, issuer)
            verify_signature(token, key)
        except InvalidTokenError as error:
            error.key_id, error.issuer = header.kid, issuer.name
            # The issuer may have put another key under the same kid. It is asked in the background, once per cooldown.
            issuer.keys.start_refresh()
            raise
        access_token, confirmation = self._judge(claims, header, issuer)
        if verified_by is not issuer.policy or token.header_segment not in self._headers:
            self._remember_header(token.header_segment, header, issuer.policy)
        return Verified(access_token, confirmation, issuer.evidence(key_set), header.kid)

    def _judge(
        self, claims: Mapping[str, object], header: UnverifiedHeader, issuer: Issuer
    ) -> tuple[AccessToken, Confirmation | None]:
        try:
            return verify_claims(claims, header, issuer.policy, now=self._now())
        except InvalidTokenError as error:
            error.key_id, error.issuer = header.kid, issuer.name
            error.subject, error.client_id = text_or_none(claims.get("sub")), _client(claims, issuer.policy)
            raise

    def _read(self, text: str) -> tuple[UnverifiedToken, tuple[UnverifiedHeader, TokenPolicy]] | None:
        """The token, its header, and the policy by which the header was verified last."""
        try:
            token = split_token(text)
            known = self._headers.get(token.header_segment)
            return token, known or (self._read_header(token.header_segment), self._policy)
        except InvalidTokenError:
            if looks_like_jwt(text):
                raise
            return None

    def _read_header(self, segment: bytes) -> UnverifiedHeader:
        header = read_header(segment)
        try:
            verify_header(header, self._policy)
        except InvalidTokenError as error:
            error.key_id = header.kid
            raise
        return header

    def _remember_header(self, segment: bytes, header: UnverifiedHeader, policy: TokenPolicy) -> None:
        """Keeps what a header says and by which policy it was verified, so that it is read and verified once.

        Only headers of good tokens: headers of bad ones, which anybody can vary, must not push good ones out.
        """
        if segment not in self._headers and len(self._headers) >= _MOST_HEADERS:
            self._headers.clear()
        self._headers[segment] = header, policy


def _verify_header(header: UnverifiedHeader, issuer: Issuer) -> None:
    try:
        verify_header(header, issuer.policy)
    except InvalidTokenError as error:
        error.key_id, error.issuer = header.kid, issuer.name
        raise


def _parse(payload: bytes) -> Mapping[str, object]:
    try:
        return parse_json_object(payload, max_values=MAX_TOKEN_VALUES)
    except ValueError:
        raise InvalidTokenError("malformed") from None


async def _look_up(header: UnverifiedHeader, issuer: Issuer) -> tuple[KeySet, SignatureKey]:
    """The issuer's key for this header, fetched if need be, and the set that it is in."""
    key_set = await issuer.keys.key_set()
    key = key_set.select(header)
    if key is None:
        key_set = await issuer.keys.refreshed_key_set()
        key = key_set.select(header)
    if key is None:
        raise InvalidTokenError("unknown_key", claim="kid")
    return key_set, key


def _client(claims: Mapping[str, object], policy: TokenPolicy) -> str | None:
    """The client of a token that was refused, for the log; none where what names it is no string."""
    try:
        return client_of(claims, policy)
    except InvalidTokenError:
        return None
