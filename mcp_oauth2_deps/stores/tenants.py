"""What the user's own code said of tenants: asked once for all who wait, remembered for a while, waited for within a limit.

Which tenant a token names does not belong here, nor what else must hold of the token.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from cachetools import TTLCache

from mcp_oauth2_deps.errors import StoreUnavailableError
from mcp_oauth2_deps.stores.shared_tasks import SharedTasks

logger = logging.getLogger(__name__)

MOST_TENANTS = 1024
# Seconds. So long a tenant that was taken back still passes, and one that was added is still refused.
_ALLOWED_FOR, _REFUSED_FOR = 300.0, 30.0
_SECONDS_TO_ANSWER = 5.0
# Anybody can send a token that names any tenant, so that the user's code, and the database behind it, must not be asked at once
# about as many as are sent.
_MOST_QUESTIONS = 16
_RETRY_AFTER = 1
_SECONDS_BETWEEN_LINES = 60.0


class TenantDecisions:
    """Which tenants are allowed, by the answers of the user's own code.

    Only the answer True lets a tenant in. Code that raises, hangs or answers anything but True and False ends the request with
    503. It belongs to one event loop at a time.
    """

    def __init__(self, check: Callable[[str], Awaitable[bool]], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet.

        Args:
            check: the user's code.
            clock: seconds, never going back.
        """
        self._check, self._clock, self._quiet_until = check, clock, -math.inf
        self._allowed: TTLCache[str, bool] = TTLCache(MOST_TENANTS, _ALLOWED_FOR, timer=clock)
        # Apart, so that names which strangers make up do not push out the tenants that are allowed.
        self._refused: TTLCache[str, bool] = TTLCache(MOST_TENANTS, _REFUSED_FOR, timer=clock)
        self._tasks = SharedTasks[str, bool]()

    def is_allowed(self, tenant: str) -> bool:
        """Whether the tenant is known to be allowed; not where nobody asked, or not for long."""
        return tenant in self._allowed

    async def ask(self, tenant: str) -> bool:
        """Whether the tenant is allowed. A waiter that is cancelled cancels its own wait only.

        Raises:
            StoreUnavailableError: nobody can say at the moment.
        """
        if self.is_allowed(tenant) or tenant in self._refused:
            return self.is_allowed(tenant)
        task = self._asking(tenant)
        await asyncio.wait({task}, timeout=_SECONDS_TO_ANSWER)
        if not task.done():
            # It may go on in spite of this; then it stays one of the questions that are counted.
            task.cancel()
            raise self._failed(f"no answer within {_SECONDS_TO_ANSWER:g} s")
        if task.cancelled():
            raise self._failed("it was cancelled")
        error = task.exception()
        if error is not None:
            raise self._failed(type(error).__name__)
        return task.result()

    def _asking(self, tenant: str) -> asyncio.Task[bool]:
        task = self._tasks.running(tenant)
        if task is None:
            if len(self._tasks) >= _MOST_QUESTIONS:
                raise StoreUnavailableError("too many tenants are asked about at once", retry_after=_RETRY_AFTER)
            task = self._tasks.start(tenant, self._answer(tenant))
            # Where all waiters went away, an error of the task would be reported as never retrieved.
            task.add_done_callback(_retrieve)
        return task

    async def _answer(self, tenant: str) -> bool:
        answer = await self._check(tenant)
        if answer is not True and answer is not False:
            raise TypeError(f"it answered {type(answer).__name__}, and must answer True or False")
        (self._allowed if answer else self._refused)[tenant] = True
        return answer

    def _failed(self, cause: str) -> StoreUnavailableError:
        # The text of a foreign exception may hold anything.
        name = getattr(self._check, "__qualname__", type(self._check).__name__)
        # Anybody can name tenants, and so make it fail, as often as they send requests.
        if self._clock() >= self._quiet_until:
            self._quiet_until = self._clock() + _SECONDS_BETWEEN_LINES
            logger.error("the tenant check %s failed: %s; it must answer True or False, and soon", name, cause)
        return StoreUnavailableError(f"the tenant check {name} failed", retry_after=_RETRY_AFTER)


def _retrieve(task: asyncio.Task[bool]) -> None:
    if not task.cancelled():
        task.exception()
