"""A state machine for `JWKSStore`: look-ups, rotations, failures, cancellations and clock jumps in any order (rules E4 to E6)."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcp_oauth2_deps import JWKSStore
from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing import SigningKey

ISSUER = "https://auth.example.com"
SOFT, HARD, COOLDOWN = 100, 400, 10
KEYS = {kid: SigningKey.generate("ES256", kid).public_jwk() for kid in ("one", "two", "three")}


class Source:
    """An issuer whose answers the machine decides, and which takes note of every attempt."""

    def __init__(self, clock):
        self.clock = clock
        self.published = frozenset({"one"})
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self.attempts = []
        self.served = []

    async def fetch(self, _):
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.attempts.append(self.clock())
        try:
            await self.gate.wait()
            if self.broken:
                raise DocumentError("it answers 500")
            self.served.append(self.published)
            return Document({"keys": [KEYS[kid] for kid in sorted(self.published)]})
        finally:
            self.running -= 1


class StoreMachine(RuleBasedStateMachine):
    """The model: which sets were served and when; no answer may be older, other or more often asked for."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = self.latest = 1000.0
        self.went_back = False
        self.source = Source(lambda: self.now)
        self.store = JWKSStore(
            ISSUER,
            self.source,
            jwks_uri=f"{ISSUER}/keys",
            refresh_after=SOFT,
            cache_ttl=HARD,
            cooldown=COOLDOWN,
            clock=lambda: self.now,
        )
        self.waiting = []
        self.cancelled = 0
        self.loaded = None

    def teardown(self):
        self.source.gate.set()
        for task in self.waiting:
            task.cancel()
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self):
        await asyncio.gather(*self.waiting, return_exceptions=True)
        await self.store.aclose()

    def turn(self, rounds=12):
        """Lets everything run that can run, and notes what it brought."""

        async def wait():
            for _ in range(rounds):
                await asyncio.sleep(0)

        before = len(self.source.served)
        self.loop.run_until_complete(wait())
        if len(self.source.served) > before:
            self.loaded = self.now, self.source.served[-1]
        done = [task for task in self.waiting if task.done()]
        self.waiting = [task for task in self.waiting if not task.done()]
        for task in done:
            self.judge(task)

    def judge(self, task):
        if task.cancelled():
            self.cancelled -= 1
            assert self.cancelled >= 0, "a wait was cancelled that nobody cancelled"
            return
        error = task.exception()
        if error is not None:
            assert isinstance(error, IssuerUnavailableError), error
            assert error.retry_after >= 1
            return
        assert frozenset(task.result().key_ids) in self.source.served

    @rule(kids=st.frozensets(st.sampled_from(sorted(KEYS)), min_size=1))
    def rotate(self, kids):
        self.source.published = kids

    @rule(broken=st.booleans())
    def switch(self, broken):
        self.source.broken = broken

    @rule(closed=st.booleans())
    def hold(self, closed):
        if closed:
            self.source.gate.clear()
        else:
            self.source.gate.set()
            self.turn()

    @rule(seconds=st.sampled_from([0.5, COOLDOWN - 1, COOLDOWN, SOFT - 1, SOFT, HARD - 1, HARD, 10 * HARD]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(seconds=st.sampled_from([1, COOLDOWN, HARD]))
    def jump_back(self, seconds):
        self.latest = max(self.latest, self.now)
        self.now -= seconds
        self.went_back = True

    @rule(count=st.integers(1, 5), kind=st.sampled_from(["key_set", "refreshed_key_set"]))
    def look_up(self, count, kind):
        asked = len(self.source.attempts)
        self.start(kind, count)
        # All who ask at one instant cost one attempt.
        assert len(self.source.attempts) <= asked + 1

    @rule(index=st.integers(0, 10))
    @precondition(lambda self: self.waiting)
    def cancel(self, index):
        running = self.source.running
        task = self.waiting[index % len(self.waiting)]
        if task.cancel():
            self.cancelled += 1
        self.turn()
        assert self.source.running == running, "the fetch ended with one of its waiters"

    @rule()
    def close(self):
        self.loop.run_until_complete(self.store.aclose())
        self.turn()
        assert self.source.running == 0
        assert self.waiting == []

    def start(self, kind, count=1):
        tasks = [self.loop.create_task(getattr(self.store, kind)()) for _ in range(count)]
        self.waiting += tasks
        self.turn()
        return tasks

    def let_run(self, *, broken):
        """Ends what is held up, and goes on when every cooldown is over."""
        self.source.gate.set()
        self.turn()
        self.source.broken = broken
        self.now = max(self.now, self.latest) + COOLDOWN

    @rule(kids=st.frozensets(st.sampled_from(sorted(KEYS)), min_size=1))
    def recover(self, kids):
        """With a sound issuer, one cooldown later an unknown kid finds what is published now."""
        self.let_run(broken=False)
        self.source.published = kids
        (task,) = self.start("refreshed_key_set")
        assert task.result().key_ids == kids

    @rule()
    def fail(self):
        """During an outage keys in hand stay, an unknown kid is no verdict, and the cooldown counts."""
        self.let_run(broken=True)
        in_hand = self.store._cache.get(ISSUER)
        (task,) = self.start("refreshed_key_set")
        assert isinstance(task.exception(), IssuerUnavailableError)
        assert self.store._cache.get(ISSUER) is in_hand
        asked = len(self.source.attempts)
        for kind in ("refreshed_key_set", "key_set"):
            self.start(kind, 3)
        assert len(self.source.attempts) == asked

    @rule(count=st.integers(2, 6), index=st.integers(0, 5))
    def leave(self, count, index):
        """Who leaves ends its own wait only: the fetch goes on, and the others get what it brings."""
        self.let_run(broken=False)
        self.source.gate.clear()
        tasks = self.start("refreshed_key_set", count)
        assert self.source.running == 1
        self.cancelled += 1
        tasks[index % count].cancel()
        self.turn()
        assert self.source.running == 1
        self.source.gate.set()
        self.turn()
        assert [task.cancelled() for task in tasks].count(True) == 1
        assert {task.result().key_ids for task in tasks if not task.cancelled()} == {self.source.published}

    @rule()
    def age(self):
        """Past their hard age keys are gone, and an issuer that cannot be asked means that nothing can be judged."""
        self.let_run(broken=True)
        self.now += HARD
        assert self.store.current() is None
        (task,) = self.start("key_set")
        assert isinstance(task.exception(), IssuerUnavailableError)

    @rule()
    def soften(self):
        """From their soft age on keys in hand are used and refreshed beside that; before it they are only used."""
        self.let_run(broken=False)
        (task,) = self.start("refreshed_key_set")
        asked = len(self.source.attempts)
        self.now += SOFT - 1
        assert self.store._cache.get(ISSUER) is task.result()
        self.start("key_set")
        assert len(self.source.attempts) == asked
        self.now += 1
        self.start("key_set")
        assert len(self.source.attempts) == asked + 1

    @invariant()
    def one_attempt_at_a_time(self):
        assert self.source.most_running <= 1

    @invariant()
    def keys_in_hand_are_those_last_served_and_never_past_their_hard_age(self):
        in_hand = self.store._cache.get(ISSUER)
        if in_hand is None:
            return
        loaded_at, kids = self.loaded
        assert in_hand.key_ids == kids
        assert self.now < loaded_at + HARD

    @invariant()
    def good_keys_are_never_lost_before_their_hard_age(self):
        if self.loaded is not None and self.now < self.loaded[0] + HARD and not self.went_back:
            assert self.store._cache.get(ISSUER) is not None

    @invariant()
    def attempts_keep_the_cooldown(self):
        if self.went_back:
            return
        for first, second in zip(self.source.attempts, self.source.attempts[1:], strict=False):
            assert second - first >= COOLDOWN


StoreMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30)
TestStore = StoreMachine.TestCase
