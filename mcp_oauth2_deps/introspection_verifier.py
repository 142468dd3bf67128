"""A token that its issuer is asked about, to a verified token: an opaque one, or a JWT whose revocation is to be noticed.

How the issuer is asked does not belong here, nor the rules about a JWT.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from secrets import token_urlsafe
from typing import NamedTuple

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.events import Events
from mcp_oauth2_deps.introspection_policy import IntrospectionPolicy
from mcp_oauth2_deps.jwt_verifier import Issuer, JWTVerifier
from mcp_oauth2_deps.models import AccessToken, Presented, Verified
from mcp_oauth2_deps.protocol.encoding import text_or_none
from mcp_oauth2_deps.protocol.introspection import verify_agreement, verify_answer
from mcp_oauth2_deps.protocol.token_forms import is_token, looks_like_jwt
from mcp_oauth2_deps.stores.documents import DocumentSource
from mcp_oauth2_deps.stores.forms import FormTarget
from mcp_oauth2_deps.stores.introspection import Answer, Introspection
from mcp_oauth2_deps.stores.introspection_endpoint import Asked, IntrospectionEndpoint
from mcp_oauth2_deps.verifiers import Verifier

# What the same token will pass in a moment without another answer.
_PASSING = frozenset({"not_yet_valid", "issued_in_future"})


@dataclass(frozen=True, slots=True)
class AskedIssuer:
    """An issuer that is asked about its tokens.

    Attributes:
        issuer: what its tokens must be; without the strict mode, which is about JWTs.
        introspection: what it says of them.
        now: epoch seconds, for the claims.
        clock: seconds, never going back, for the age of answers.
        ttl: seconds that a good answer counts.
        audience_required: whether an answer must name an audience.
        always: whether it is asked about JWTs too.
        keyless: whether it need have no keys.
        prefixes: how its opaque tokens begin; empty where any opaque token may be its own.
    """

    issuer: Issuer
    introspection: Introspection
    now: Callable[[], float]
    clock: Callable[[], float]
    ttl: float
    audience_required: bool = True
    always: bool = False
    keyless: bool = False
    prefixes: tuple[str, ...] = ()

    async def verify_asks(self) -> None:
        """Guarantees that the issuer knows us, and tells a token that nobody made from its own.

        Raises:
            IssuerUnavailableError: it does not.
        """
        try:
            await self.introspection.verify_asks(token_urlsafe(32))
        except DocumentError as error:
            settings = "the settings introspection_url, client_id and client_secret or client_key_file"
            cause = f"introspection fails: {error}; check {settings}"
            raise IssuerUnavailableError(self.issuer.name, cause, retry_after=1) from None

    def seconds_left(self, answer: Answer) -> float:
        """For how long an answer counts from now on."""
        return self.ttl - (self.clock() - answer.asked_at)

    def until(self, answer: Answer, token: AccessToken, also: Callable[[], bool] | None = None) -> Callable[[], bool]:
        """Whether an answer about this token still counts. It does not beyond `exp`, without leeway (RFC 7662 section 4)."""
        clock = self.clock
        deadline = clock() + min(self.seconds_left(answer), token.expires_at - self.now())
        if also is None:
            return lambda: clock() < deadline
        return lambda: clock() < deadline and also()


class OpaqueVerifier:
    """Guarantees that the issuer calls a token active, and that it is an access token for this resource, valid now."""

    def __init__(self, issuers: Iterable[AskedIssuer]) -> None:
        """Nothing is asked yet.

        Args:
            issuers: who may be asked. Where there are several, each has prefixes.
        """
        self._issuers = tuple(issuers)

    async def verify(self, presented: Presented) -> Verified | None:
        """The verified token, with the binding that its caller has yet to prove; none for a JWT, also a broken one.

        Does not check: the binding, scopes.

        Raises:
            InvalidTokenError: it is not active, or no such token; the reason says why.
            IssuerUnavailableError: the issuer cannot be asked.
        """
        # Asked here too, whoever was asked before: a JWT is judged by the strict rules here, not by an issuer's parser.
        if looks_like_jwt(presented.token):
            return None
        # A token from elsewhere than an HTTP field may hold anything, and such a text is no token of anybody.
        if not is_token(presented.token):
            raise InvalidTokenError("malformed")
        asked = self._whose(presented.token)
        digest = presented.digest
        answer = await asked.introspection.answer(presented.token, digest)
        try:
            verified = _judged(answer, asked)
        except InvalidTokenError as error:
            error.issuer = asked.issuer.name
            error.subject, error.client_id = (text_or_none(answer.members.get(name)) for name in ("sub", "client_id"))
            if error.reason not in _PASSING:
                asked.introspection.refuse(digest, error)
            raise
        asked.introspection.note_good(digest)
        return verified

    def _whose(self, token: str) -> AskedIssuer:
        for asked in self._issuers:
            if not asked.prefixes or token.startswith(asked.prefixes):
                return asked
        raise InvalidTokenError("opaque")


def _judged(answer: Answer, asked: AskedIssuer) -> Verified:
    now = asked.now()
    token, confirmation = verify_answer(
        answer.members,
        asked.issuer.name,
        asked.issuer.policy,
        audience_required=asked.audience_required,
        now=now,
        good_until=now + asked.seconds_left(answer),
    )
    return Verified(token, confirmation, asked.until(answer, token), None)


class AskedJWTVerifier:
    """Guarantees what `JWTVerifier` does, and that the issuer calls the JWT active now."""

    def __init__(self, jwts: JWTVerifier, issuers: Sequence[AskedIssuer], *, all_asked: bool = False) -> None:
        """Nothing is asked yet.

        Args:
            jwts: verifies a JWT.
            issuers: who is asked.
            all_asked: refuse JWTs of an issuer that cannot be asked.
        """
        self._jwts, self._all_asked = jwts, all_asked
        self._asked = {asked.issuer.name: asked for asked in issuers}

    async def verify(self, presented: Presented) -> Verified | None:
        """The verified token. The issuer sees only JWTs of its own that are good by all rules, and is asked about nothing else.

        Does not check: the binding, scopes.

        Raises:
            InvalidTokenError: it is no such token, or not active; the reason says why.
            IssuerUnavailableError: the keys to judge it cannot be had, or the issuer cannot be asked.
        """
        verified = await self._jwts.verify(presented)
        if verified is None:
            return None
        token = verified.token
        asked = self._asked.get(token.issuer)
        try:
            if asked is None:
                if self._all_asked:
                    raise InvalidTokenError("not_asked")
                return verified
            # Whoever has a JWT with a good signature is no stranger.
            asked.introspection.note_good(presented.digest)
            answer = await asked.introspection.answer(presented.token, presented.digest)
            agreed = verify_agreement(answer.members, token, asked.issuer.policy, now=asked.now())
        except InvalidTokenError as error:
            error.issuer, error.key_id = token.issuer, verified.key_id
            error.subject, error.client_id = token.subject, token.client_id
            raise
        return verified._replace(token=agreed, evidence=asked.until(answer, agreed, verified.evidence))


def in_order(
    jwts: JWTVerifier, others: Sequence[Verifier], asked: Sequence[AskedIssuer]
) -> tuple[tuple[Verifier, ...], tuple[Verifier, ...]]:
    """The verifiers in the order in which they are asked, and those for what the issuer must be asked about now.

    The first is that of JWTs, so that no other is asked about what it refuses. The last shows a token to its issuer, so that none
    is shown that one of the others knows.
    """
    always = [one for one in asked if one.always]
    last = (*others, OpaqueVerifier(asked)) if asked else tuple(others)
    return (AskedJWTVerifier(jwts, always) if always else jwts, *last), (AskedJWTVerifier(jwts, asked, all_asked=True), *last)


class Way(NamedTuple):
    """How issuers are reached.

    Attributes:
        documents: how metadata are fetched.
        forms: how questions are sent.
        wall_clock: epoch seconds.
        clock: seconds, never going back.
        events: who hears of failures.
        timeout: seconds that a question may wait for its turn, and seconds that it may take then.
        cooldown: seconds without a question after an issuer refused our credentials.
    """

    documents: DocumentSource
    forms: FormTarget
    wall_clock: Callable[[], float]
    clock: Callable[[], float]
    events: Events
    timeout: float
    cooldown: float


def asked_issuer(issuer: Issuer, policy: IntrospectionPolicy, way: Way) -> AskedIssuer:
    """What is needed to ask this issuer as the policy says. Nothing is asked yet.

    Args:
        issuer: whose tokens they are.
        policy: how it is asked.
        way: how it is reached.
    """
    # The strict mode is about JWTs: it asks for a type in a header, which an answer does not have.
    issuer = replace(issuer, policy=replace(issuer.policy, strict_at_jwt=False, typ_required=False))
    asked = Asked(issuer.name, policy.authentication(), policy.url, signed=policy.signed)
    ask = IntrospectionEndpoint(
        asked,
        issuer.policy,
        issuer.keys,
        documents=way.documents,
        forms=way.forms,
        wall_clock=way.wall_clock,
        clock=way.clock,
    )
    store = Introspection(issuer.name, ask, cooldown=way.cooldown, timeout=way.timeout, clock=way.clock, events=way.events)
    return AskedIssuer(
        issuer,
        store,
        way.wall_clock,
        way.clock,
        policy.ttl,
        audience_required=policy.audience_required,
        always=policy.mode == "always",
        keyless=policy.mode == "opaque" and policy.url is not None and not policy.signed,
        prefixes=policy.prefixes,
    )
