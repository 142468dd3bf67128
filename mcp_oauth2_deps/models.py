"""The frozen values that pass from one room to the next.

Rules about them live in `protocol`; nothing here parses, fetches or decides.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, ClassVar, NamedTuple, Never


class DeclarationError(Exception):
    """A route, model or tool declares something by which a caller could make up a value that others trust.

    Derived from `Exception` alone: engines forgive a `TypeError` or `ValueError` in the types of a tool, and go on.
    """


class _RefusedSignature:
    """The signature of a constructor, every parameter marked with the class, so that a framework refuses to fill it.

    `Depends(AccessToken)` makes FastAPI take the constructor apart and read `subject` from the query. FastAPI builds a
    pydantic schema for each parameter, and the mark raises there. Names, kinds and defaults stay true.
    """

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        _, *parameters = inspect.signature(owner.__init__).parameters.values()  # type: ignore[misc]  # read, not called
        return inspect.Signature([parameter.replace(annotation=Annotated[Any, owner]) for parameter in parameters])


class NeverFromRequest:
    """A value that decides what a caller may do; no request, tool argument or answer can be declared to hold one.

    Whatever turns a caller's data into objects asks a class how it is built: pydantic, and with it FastAPI and both MCP
    engines, by `__get_pydantic_core_schema__`; pydantic 1 by `__get_validators__`; FastAPI's `Depends(SomeClass)` by the
    signature. All three are refused here, at the declaration. Code builds such values as before. Subclasses inherit it.
    """

    __slots__ = ()
    __signature__ = _RefusedSignature()
    _write_instead: ClassVar[str] = "a tool that returns an AccessToken, or a like value, returns a model of its own instead"
    never_in_an_answer: "NeverFromRequest"
    """Never set. The MCP SDK makes a model of the annotations of a class that a tool returns; this one refuses to be in it."""

    @classmethod
    def _refuse(cls, *_: object) -> Never:
        raise DeclarationError(
            f"{cls.__name__} must not be built from what a caller sends, nor sent in an answer: {cls._write_instead}"
        )

    __get_pydantic_core_schema__ = _refuse
    __get_validators__ = _refuse


class ReadOnlyDict(dict[str, Any]):
    """A dict that cannot be changed, so that one request cannot alter what a remembered token says to the next."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("the claims of a token are read-only; copy them with dict(...) first")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReadOnlyDict":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


def digest_of(token: str) -> bytes:
    """SHA-256 of a token, by which it is remembered."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


# A tuple, because one is made for every request, and a frozen dataclass takes three times as long to make.
class _Presented(NamedTuple):
    token: str
    scheme: str = "bearer"
    proofs: tuple[bytes, ...] = ()
    certificate: bytes | None = None
    method: str = ""
    url: str = ""


class Presented(NeverFromRequest, _Presented):
    """What a caller presented: a token, and what may prove that the caller is the one it was issued to. Nothing is verified.

    Attributes:
        token: the token, as it was sent.
        scheme: the authentication scheme, in lower case.
        proofs: the values of all `DPoP` fields, as they were sent (RFC 9449 section 4).
        certificate: the client's certificate, as whoever ended TLS handed it on (RFC 8705 section 3).
        method: the HTTP method. A WebSocket is opened by `GET`.
        url: the URL that the caller asked for, as the world sees it, without query and fragment.

    Example:
        `await authenticator.authenticate(Presented(token, proofs=(proof,), method="POST", url="https://api.example.com/mcp"))`
    """

    __slots__ = ()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the token, by which it is remembered. Always computed: one handed in could be that of another token."""
        return digest_of(self.token)

    def __repr__(self) -> str:
        return f"Presented(scheme={self.scheme!r}, method={self.method!r}, url={self.url!r})"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a token is bound to: its `cnf` claim (RFC 7800 section 3.1).

    Attributes:
        members: the confirmation methods by name, for example `jkt`. None when the claim is empty, or no JSON object; nobody can
            prove to hold what such a claim names.
    """

    members: Mapping[str, Any]


# With slots there is no `__dict__` through which one handler could alter a remembered token for the next.
@dataclass(frozen=True, slots=True, init=False)
class AccessToken(NeverFromRequest):
    """A verified access token. It holds no raw token, so a handler can neither forward nor log it.

    A plain parameter of this type would let the caller make one up, so FastAPI, pydantic and MCP engines refuse it with a
    `DeclarationError`. A route takes `token: Annotated[AccessToken, Security(require_scopes(...))]`, a tool calls
    `current_token()`. A test makes one by hand: `AccessToken(subject="user-1", scopes={"files:read"})`.

    Attributes:
        subject: `sub`; who the token speaks for, unique within the issuer.
        client_id: the software that was given the token: `client_id`, `azp`, or the claim that is set for the issuer.
        issuer: `iss`, one of the trusted issuers, verbatim.
        audience: every member of `aud`, verbatim.
        scopes: what was granted, as the token says it. Scopes implied by the configured hierarchy are not added.
        expires_at: `exp`, epoch seconds.
        issued_at: `iat`, epoch seconds.
        token_id: `jti`.
        claims: the whole claim set, read-only in depth (lists are tuples).
    """

    _write_instead: ClassVar[str] = (
        "a route takes `token: Annotated[AccessToken, Security(require_scopes(...))]`, a tool calls `current_token()`, "
        "and an answer is a model of your own"
    )

    subject: str | None = None
    client_id: str | None = None
    issuer: str = ""
    audience: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    expires_at: float = 0
    issued_at: float | None = None
    token_id: str | None = None
    claims: Mapping[str, Any] = field(default_factory=ReadOnlyDict, repr=False, hash=False)

    # Written out, because one is made for each token that is verified, and the one of the dataclass takes a third longer.
    def __init__(  # noqa: PLR0917  # one parameter for each field
        self,
        subject: str | None = None,
        client_id: str | None = None,
        issuer: str = "",
        audience: tuple[str, ...] = (),
        scopes: Iterable[str] = (),
        expires_at: float = 0,
        issued_at: float | None = None,
        token_id: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        # Tokens made by hand in tests come with lists and sets. A string would become the set of its letters, without an error.
        if isinstance(scopes, str):
            raise TypeError("scopes is a collection of strings, for example {'files:read'}, not one string")
        keep = object.__setattr__
        keep(self, "subject", subject)
        keep(self, "client_id", client_id)
        keep(self, "issuer", issuer)
        keep(self, "audience", audience)
        keep(self, "scopes", frozenset(scopes))
        keep(self, "expires_at", expires_at)
        keep(self, "issued_at", issued_at)
        keep(self, "token_id", token_id)
        keep(self, "claims", ReadOnlyDict() if claims is None else claims)


def _unknown() -> bool:
    """The evidence where there is none: nothing holds longer than for one request."""
    return False


class _Verified(NamedTuple):
    token: AccessToken
    confirmation: Confirmation | None = None
    evidence: Callable[[], bool] = _unknown
    key_id: str | None = None


class Verified(NeverFromRequest, _Verified):
    """A token whose signature and claims were verified. Whether the caller may use it is not decided yet.

    Attributes:
        token: what it says.
        confirmation: what it is bound to; none when it is a plain bearer token.
        evidence: whether that for which it was found good is still so, apart from its expiry; asked whenever it is used again.
            Without it the token is remembered for no other request, and verified again each time.
        key_id: `kid` of the key that signed it.
    """

    __slots__ = ()

    def still_holds(self, now: float, leeway: float) -> bool:
        """Whether the token is as good at `now` as it was when it was verified.

        Args:
            now: epoch seconds.
            leeway: seconds of clock difference forgiven.
        """
        return now < self.token.expires_at + leeway and self.evidence()


@dataclass(frozen=True, slots=True)
class SchemeChallenge:
    """What a caller is asked for in one authentication scheme (RFC 9110 section 11.3).

    Attributes:
        scheme: its name, as it is written.
        parameters: by name, unquoted, in the order in which they are written.
    """

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Challenge:
    """An HTTP answer to a refused request, before any framework.

    Attributes:
        status: the HTTP status.
        challenges: one for each scheme in which the caller may try again; none where that would not help.
        error: the RFC error code, if there is one.
        description: a fixed sentence.
        missing_scopes: goes into the JSON body of a 403. The challenge's `scope` also lists scopes that the token already has, so
            it cannot show what is missing.
        retry_after: seconds after which the same request may succeed.
    """

    status: int
    challenges: tuple[SchemeChallenge, ...]
    error: str | None
    description: str
    missing_scopes: tuple[str, ...] = ()
    retry_after: int | None = None
