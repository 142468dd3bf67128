"""What one message needs, and what its caller may execute: by the table, by the decorators, and by what the engine has.

How an engine is asked, and how it asks, do not belong here.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

from mcp_oauth2_deps.mcp.caller import Caller
from mcp_oauth2_deps.mcp.callers import caller_in_sight, caller_is_missing
from mcp_oauth2_deps.mcp.catalog import Catalog, Memory, declared_by
from mcp_oauth2_deps.mcp.engines.engine import Engine, Place
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes, refuse_nobody, refuse_over, refuse_shortfall
from mcp_oauth2_deps.mcp.messages import LONGEST_NAME, Message, MessageError, message_of
from mcp_oauth2_deps.mcp.rule_values import together
from mcp_oauth2_deps.mcp.tool_scopes import EXECUTED_BY, KINDS, Held, ToolScopes
from mcp_oauth2_deps.mcp.unruled import refuse_public_with_scopes, tell_of_unruled
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement

logger = logging.getLogger(__name__)

# So many names of one message are decided about before others get a turn on the event loop.
_NAMES_AT_ONCE = 8
# What is remembered for one message; more is decided again each time.
_MOST_DECIDED = 10_000
# So many places the templates may try in all for the URIs of one message: 4 ms, and FastMCP matches more than once.
_MOST_STEPS = 150_000
_NOTHING = ScopeRequirement()
# What the outermost server does not show has no name there, and so no rule.
_NOWHERE: Sequence[Sequence[str]] = (("",),)


class Decision(NamedTuple):
    """What was decided about a message.

    Attributes:
        needed: the scopes beyond those of every call; a `PublicRequirement` without any token; none where nobody is let through.
        places: where mounted servers will execute it.
        failed: whether it is not let through because the engine could not be asked about it, which has a line in the log already.
    """

    needed: ScopeRequirement | None
    places: tuple[Place, ...] = ()
    failed: bool = False


class Rulebook:
    """The rules for one server: those of the table, and those that stand at its functions.

    The route asks it about each message, and the engine once more at each execution (rule F8), by whatever way that came about.
    """

    def __init__(self, table: ToolScopes, engine: Engine, *, shortens_lists: bool) -> None:
        """Nothing is asked yet; `check` is for when the engine runs."""
        self.shortens_lists = shortens_lists
        self._table = table
        self._engine = engine
        self._known: dict[str, Catalog] = {}
        self._memory = Memory()
        self._registered: Sequence[object] = ()
        self._ruled: dict[str, bool] = {}

    async def check(self) -> list[str]:
        """Compares the rules with what the engine has, and returns the scopes that functions of it declare.

        Raises:
            ValueError: a rule for something that the engine does not have, which is a misspelt one; one for some values of a
                template that other spellings of these values would pass; or `PUBLIC` for what has a rule at its function.
        """
        declared: list[ScopeRequirement] = []
        unseen: list[str] = []
        for kind in KINDS:
            components = await self._engine.held(kind)
            if components is None:
                unseen += [kind] if self._table.by_kind[kind] else []
                continue
            catalog = self._known[kind] = Catalog(kind, components, self._table, self._memory)
            declared += catalog.declared
            # What a search hides from lists, and what a template serves, is there too.
            unknown = [
                name
                for name in self._table.rules_without(kind, catalog.names)
                if _is_template(kind, name) or not (catalog.serving(name) or await self._engine.named(kind, name))
            ]
            if unknown:
                raise ValueError(f"ToolScopes has rules for {kind} that the server does not have: {', '.join(unknown)}")
            if catalog.passed_by:
                raise ValueError("; ".join(map(str, catalog.passed_by)))
            tell_of_unruled(self._table, kind, catalog, ruled=self._is_ruled(kind))
            refuse_public_with_scopes(self._table, kind, catalog)
        if unseen:
            logger.warning(
                "the server behind the route cannot be asked what it has, so rules for %s are compared with messages only: a "
                "misspelt name is not noticed, lists show everything, and what a tool reaches by itself is not asked about",
                ", ".join(unseen),
            )
        return [scope for requirement in declared for scope in requirement.names()]

    async def decide(self, message: Message, caller: Caller) -> Decision:
        """What the message needs. The engine is asked only for a caller who holds what is needed without asking it."""
        kind = message.kind
        if kind is None or not message.names:
            return Decision(self._table.needed_for(message))
        known = self._known.get(kind)
        needed = await self._needed_by_start(message, known)
        if needed is not None and not caller.holds(needed):
            return Decision(needed)
        try:
            if kind == "resources":
                components = await self._engine.held(kind)
                now = Catalog(kind, components or (), self._table, self._memory)
                self._memory.tell_of(now.passed_by)
                if sum(map(now.steps, message.names)) > _MOST_STEPS:
                    logger.warning("denied: the templates of the server could take too long to match a URI of this length")
                    return Decision(None, failed=True)
                first = message.names[0]
                served = now.serving(first)
                needed = await self._needed_for(message, lambda name: served if name == first else now.serving(name))
                return Decision(needed, tuple(now.places(first, served)))
            found = [one for name in message.names for one in await self._engine.named(kind, name)]
        except Exception as error:
            # It may be the caller's choice of a name that makes the engine fail.
            logger.warning("denied: the server failed when it was asked for one of its %s: %s", kind, type(error).__name__)
            return Decision(None, failed=True)
        if known is None or found != known.components(message.names[0]):
            # Tools and prompts are named one at a time.
            held = [Held(one.name, declared_by(one)) for one in found]
            needed = await self._needed_for(message, lambda _: held)
        return Decision(needed, tuple(place for one in found for place in one.places))

    def remember(self, message: Message, caller: Caller, decision: Decision) -> None:
        """Keeps for this message that its caller may execute what it names, so that the engine need not decide again."""
        method, kind = message.method or "", message.kind or ""
        places = [Place(self._engine.server, kind, name) for name in message.names]
        if method == EXECUTED_BY.get(kind):
            places += decision.places
        for place in places:
            self._decide(caller, method, place, allowed=True)

    async def admit(self, place: Place) -> None:
        """Lets the caller in sight execute something.

        Raises:
            InsufficientScopeError: it may not, or no caller is in sight where one should be.
        """
        await self._admit(EXECUTED_BY[place.kind], place)

    async def admit_message(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Lets a message reach its handler, as it is after all that other steps made of it.

        Raises:
            InsufficientScopeError: its caller may not send it, or no caller is in sight where one should be.
        """
        try:
            message = message_of(method, dict(params or {}))
        except MessageError:
            # The handler refuses it too, and in the words of the engine.
            return
        for name in message.names:
            await self._admit(method, Place(self._engine.server, message.kind or "", name))

    async def _admit(self, method: str, place: Place) -> None:
        caller = caller_in_sight()
        if caller is None:
            if caller_is_missing():
                raise refuse_nobody(_NOTHING, f"{method} inside the server")
            return
        if self._is_of_another(caller, place.server):
            return
        if caller.is_over():
            # A task that was started for the message may outlive the token. What runs already may finish.
            raise refuse_over(caller, _NOTHING, f"{method} inside the server")
        if caller.decided.get(self._key(method, place)):
            return
        if len(place.name) > LONGEST_NAME:
            # A message with such a name is refused before; comparing it would take the time of others.
            raise refuse_shortfall(caller, None, f"{method} inside the server")
        needed: ScopeRequirement | None = None
        for names in await self._names_of(place):
            for name in names:
                needed = (await self.decide(Message(method, place.kind, (name,)), caller)).needed
                if self._holds(caller, needed):
                    break
            else:
                raise refuse_shortfall(caller, needed, f"{method} inside the server")
        self._decide(caller, method, place, allowed=True)

    async def shown(self, server: Any, kind: str, names: Sequence[str]) -> set[str]:
        """Which of these a list may show to the caller in sight."""
        caller = caller_in_sight()
        if caller is None:
            return set() if caller_is_missing() else set(names)
        if self._is_of_another(caller, server):
            return set(names)
        places = {name: Place(server, kind, name) for name in names}
        decided = {name: caller.decided.get(self._key("list", place)) for name, place in places.items()}
        unknown = [name for name, known in decided.items() if known is None]
        if unknown:
            own, needed_for = server is self._engine.server, await self.needs_listed(kind)
            outer = {} if own else await self._engine.outer(server, kind, unknown, listed=True)

            def may_use(called: str) -> bool:
                return self._holds(caller, needed_for(called))

            for name in unknown:
                groups = ((name,),) if own else outer.get(name) or _NOWHERE
                decided[name] = allowed = all(any(map(may_use, group)) for group in groups)
                self._decide(caller, "list", places[name], allowed=allowed)
        return {name for name, allowed in decided.items() if allowed}

    def is_asked(self) -> bool:
        """Whether the message in sight came by this route, and not by another one to the same server."""
        caller = caller_in_sight()
        return caller is None or not self._is_of_another(caller, self._engine.server)

    async def needs_listed(self, kind: str) -> Callable[[str], ScopeRequirement | None]:
        """What executing a thing needs, by the name under which the outermost server lists it now."""
        method, ruled = EXECUTED_BY[kind], self._is_ruled(kind)
        catalog = Catalog(kind, await self._engine.held(kind) or (), self._table, self._memory)
        return lambda name: self._table.needed_for(Message(method, kind, (name,)), [catalog.called(name)], ruled=ruled)

    def _is_of_another(self, caller: Caller, server: Any) -> bool:
        """Whether another route that has the server too let the caller in: each decides about its own callers."""
        other = caller.rules
        return isinstance(other, Rulebook) and other is not self and other._engine.executes(server)  # noqa: SLF001  # of this class

    def _key(self, method: str, place: Place) -> tuple[object, ...]:
        # What other rules decided about the same place says nothing of these.
        return self, method, id(place.server), place.kind, place.name

    def _decide(self, caller: Caller, method: str, place: Place, *, allowed: bool) -> None:
        if len(caller.decided) < _MOST_DECIDED:
            caller.decided[self._key(method, place)] = allowed

    async def _names_of(self, place: Place) -> Sequence[Sequence[str]]:
        """Under which names the outermost server has it: of each thing that may run all names, of which one will do."""
        if place.server is self._engine.server:
            return ((place.name,),)
        try:
            found = await self._engine.outer(place.server, place.kind, (place.name,), listed=False)
        except Exception as error:
            logger.warning("the server failed when it was asked for one of its %s: %s", place.kind, type(error).__name__)
            return _NOWHERE
        return found.get(place.name) or _NOWHERE

    def _holds(self, caller: Caller, needed: ScopeRequirement | None) -> bool:
        # The caller may have come by another route, which demanded other scopes of every call.
        if needed is None or not caller.holds(needed):
            return False
        return caller.token is None or caller.holds(self._table.base)

    async def _needed_by_start(self, message: Message, known: Catalog | None) -> ScopeRequirement | None:
        """What the message needs by the table, and by what the engine had at the start."""
        if known is None or len(message.names) > 1 or not known.called(message.names[0]):
            return await self._needed_for(message, known.serving if known else _nothing)
        # Of what was there at the start, neither the name nor the rules change; whether others have rules may.
        key = message.method, message.names[0], self._is_ruled(message.kind or "")
        if key not in known.needed:
            known.needed[key] = await self._needed_for(message, known.serving)
        return known.needed[key]

    async def _needed_for(self, message: Message, serving: Callable[[str], Sequence[Held]]) -> ScopeRequirement | None:
        ruled = self._is_ruled(message.kind or "")
        if len(message.names) <= _NAMES_AT_ONCE:
            return self._table.needed_for(message, list(map(serving, message.names)), ruled=ruled)
        parts: list[ScopeRequirement] = []
        for start in range(0, len(message.names), _NAMES_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            names = message.names[start : start + _NAMES_AT_ONCE]
            part = Message(message.method, message.kind, names)
            needed = self._table.needed_for(part, [serving(name) for name in names], ruled=ruled)
            if needed is None:
                return None
            parts.append(needed)
        return together(parts)

    def _is_ruled(self, kind: str) -> bool:
        """Whether something of this kind has a rule at itself, as far as that matters."""
        if not self._table.asks_whether_ruled(kind):
            return False
        # All is looked through again only when something was added or taken away: there may be thousands.
        registered = self._engine.registered()
        if len(registered) != len(self._registered) or not all(map(is_, registered, self._registered)):
            self._registered, self._ruled = registered, {}
        if kind not in self._ruled:
            self._ruled[kind] = any(map(declared_scopes, self._engine.functions(kind)))
        return self._ruled[kind]


def _is_template(kind: str, name: str) -> bool:
    """Whether a rule is for a template. One with other placeholders would serve this text, but is not meant by it."""
    return kind == "resources" and "{" in name


def _nothing(name: str) -> Sequence[Held]:  # noqa: ARG001  # in place of a catalog
    return ()
