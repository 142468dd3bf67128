"""One question to an issuer about one token (RFC 7662 section 2), and what its reply means.

How often it is asked, and what is remembered, do not belong here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from secrets import token_urlsafe
from typing import Any, Protocol

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError
from mcp_oauth2_deps.protocol.client_authentication import ClientAuthentication, SecretInForm, SecretInHeader
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, parse_json_object
from mcp_oauth2_deps.protocol.introspection import read_answer, read_signed_answer, verify_answer_header
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata
from mcp_oauth2_deps.protocol.jws import read_header, split_token, verify_signature
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.stores.discovery import discover
from mcp_oauth2_deps.stores.documents import DocumentSource, verify_json_type
from mcp_oauth2_deps.stores.forms import FormTarget, Reply
from mcp_oauth2_deps.stores.issuer_keys import IssuerKeys

_SIGNED_TYPE = "application/token-introspection+jwt"
_ACCEPT_JSON = "application/json"
_ACCEPT_SIGNED = f"{_SIGNED_TYPE}, {_ACCEPT_JSON};q=0.9"
# Seconds for which discovered metadata is used.
_METADATA_AGE = 3600
_DIGITS = re.compile(r"\d{1,9}")
# RFC 6749 section 5.2. Some servers say this with 400, where others say 401.
_OUR_FAULT = frozenset({"invalid_client", "unauthorized_client"})
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 200, 400, 401, 403, 429, 500


class CredentialsRefusedError(DocumentError):
    """The issuer does not know us, or does not let us ask. Nothing is wrong with the caller's token (RFC 7662 section 2.3)."""


class OverloadedError(DocumentError):
    """The issuer asks for a pause.

    Attributes:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__("it answers 429, too many requests")
        self.seconds = seconds


class Question(Protocol):
    """Asks about one token."""

    async def __call__(self, token: str) -> Mapping[str, Any]:
        """The members of the answer about an active token.

        Raises:
            InvalidTokenError: `inactive`, or `malformed` where the issuer says that this can be no token of its own.
            DocumentError: no usable answer; `unreachable` where none came, or the issuer says that it failed.
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom is asked, and as whom.

    Attributes:
        issuer: whose tokens they are.
        client: who we are there.
        url: where it is asked; discovered when absent.
        signed: whether the answer must be signed (RFC 9701).
    """

    issuer: str
    client: ClientAuthentication
    url: str | None = None
    signed: bool = False


class IntrospectionEndpoint:
    """The place where one issuer says what a token is."""

    def __init__(
        self,
        asked: Asked,
        policy: TokenPolicy,
        keys: IssuerKeys,
        *,
        documents: DocumentSource,
        forms: FormTarget,
        wall_clock: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """Nothing is asked yet.

        Args:
            asked: whom, and as whom.
            policy: which algorithms a signed answer may have, and the leeway for its time.
            keys: the issuer's keys, for signed answers.
            documents: how metadata is fetched.
            forms: how questions are sent.
            wall_clock: epoch seconds.
            clock: seconds, never going back.
        """
        self._asked, self._policy, self._keys = asked, policy, keys
        self._documents, self._forms = documents, forms
        self._now, self._clock = wall_clock, clock
        self._metadata: tuple[IssuerMetadata, float] | None = None

    async def __call__(self, token: str) -> Mapping[str, Any]:
        """See `Question`."""
        url, client = await self._locate()
        asked_at = self._now()
        fields = {"token": token, "token_type_hint": "access_token"}
        form = client.authenticated(fields, issuer=self._asked.issuer, now=asked_at, unique=token_urlsafe(24))
        reply = await self._forms.post(url, form, accept=_ACCEPT_SIGNED if self._asked.signed else _ACCEPT_JSON)
        self._verify_status(reply)
        if self._asked.signed:
            return read_answer(await self._signed_members(reply, asked_at))
        verify_json_type(reply.media_type)
        return read_answer(_json_object(reply.body))

    async def _locate(self) -> tuple[str, ClientAuthentication]:
        """Where to ask, and how to say who we are there."""
        client = self._asked.client
        if self._asked.url is not None:
            return self._asked.url, client
        if self._metadata is None or self._clock() >= self._metadata[1] + _METADATA_AGE:
            self._metadata = await discover(self._asked.issuer, self._documents), self._clock()
        metadata = self._metadata[0]
        if metadata.introspection_endpoint is None:
            self._metadata = None
            raise DocumentError("its metadata names no introspection_endpoint; use the setting introspection_url if it has one")
        methods = metadata.introspection_methods
        if isinstance(client, SecretInHeader) and "client_secret_post" in methods and "client_secret_basic" not in methods:
            client = SecretInForm(client.client_id, client.secret)
        return metadata.introspection_endpoint, client

    def _verify_status(self, reply: Reply) -> None:
        """Tells whose fault it is when the status is not 200: the token's, ours, or the issuer's."""
        status = reply.status
        if status in {_UNAUTHORIZED, _FORBIDDEN} or (status == _BAD_REQUEST and _names_us(reply)):
            raise CredentialsRefusedError(f"it refuses our credentials ({status})")
        if status == _BAD_REQUEST:
            raise InvalidTokenError("malformed")
        if status == _TOO_MANY:
            raise OverloadedError(_pause(reply.retry_after, self._now()))
        if status != _OK:
            raise DocumentError(f"it answers {status}", unreachable=status >= _SERVER_ERROR)

    async def _signed_members(self, reply: Reply, asked_at: float) -> Mapping[str, Any]:
        """The members of a signed answer. A plain one is refused: whoever could change it would leave out the signature."""
        if reply.media_type != _SIGNED_TYPE:
            raise DocumentError("its answer is not signed, as introspection of this issuer demands")
        try:
            token = split_token(reply.body.decode("ascii", "replace").strip())
            header = read_header(token.header_segment)
            verify_answer_header(header, self._policy)
            key = (await self._keys.key_set()).select(header) or (await self._keys.refreshed_key_set()).select(header)
            if key is None:
                raise DocumentError("its signed answer names a key that it does not publish")
            verify_signature(token, key)
        # These are about the caller's token everywhere else; this one is the issuer's.
        except InvalidTokenError as error:
            raise DocumentError(f"its signed answer is no good JWT ({error.reason})") from None
        return read_signed_answer(
            _json_object(token.payload),
            self._asked.issuer,
            self._asked.client.client_id,
            asked_at=asked_at,
            now=self._now(),
            leeway=self._policy.leeway,
        )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(body, max_values=MAX_TOKEN_VALUES)
    except ValueError:
        raise DocumentError(
            f"its answer is not one JSON object with unique member names, or has more than {MAX_TOKEN_VALUES} names and values"
        ) from None


def _names_us(reply: Reply) -> bool:
    try:
        return parse_json_object(reply.body, max_values=MAX_TOKEN_VALUES).get("error") in _OUR_FAULT
    # An unhashable error, or no JSON: whatever it is, it does not name us.
    except (ValueError, TypeError):
        return False


def _pause(retry_after: str, now: float) -> float:
    """Seconds of a `Retry-After` field, which is a number or a date (RFC 9110 section 10.2.3); 1 where it says neither."""
    if _DIGITS.fullmatch(retry_after):
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - now, 0)
    except (ValueError, OverflowError):
        return 1
