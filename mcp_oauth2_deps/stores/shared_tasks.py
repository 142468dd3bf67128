"""One task for each key, on which many may wait.

What a task does does not belong here, nor how long anybody waits for it.
"""

import asyncio
from collections.abc import Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SharedTasks(Generic[Key, Result]):
    """The tasks that run now, by their keys.

    Nobody who waits owns a task: `asyncio.wait({task})` leaves it to the others when its own wait is cancelled. A task of an
    event loop that was closed, as a test client leaves it, would never end, and counts no more.
    """

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[Key, asyncio.Task[Result]] = {}

    def __len__(self) -> int:
        """How many run."""
        return len(self._here())

    def running(self, key: Key) -> asyncio.Task[Result] | None:
        """The task for this key, if one runs."""
        task = self._here().get(key)
        return None if task is None or task.done() else task

    def start(self, key: Key, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Starts the task for this key, of which none runs."""
        tasks = self._here()
        task = tasks[key] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(partial(self._forget, key))
        return task

    async def aclose(self) -> None:
        """Ends all that run."""
        tasks = list(self._here().values())
        self._tasks = {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _here(self) -> dict[Key, asyncio.Task[Result]]:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._tasks = loop, {}
        return self._tasks

    def _forget(self, key: Key, task: asyncio.Task[Result]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
