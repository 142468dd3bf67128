"""A state machine for `JWKSStore`: look-ups of several issuers, rotations, failures, cancellations and clock jumps in any order.

Rules E4 to E7. The same laws with room for all issuers and with room for one, where each look-up displaces another's keys.
"""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcp_oauth2_deps import Document, JWKSStore
from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.testing import SigningKey

URLS = ("https://one.example.com", "https://two.example.com", "https://three.example.com")
SOFT, HARD, COOLDOWN = 100, 400, 10
KEYS = {kid: SigningKey.generate("ES256", kid).public_jwk() for kid in ("one", "two", "three")}

issuers = st.integers(0, len(URLS) - 1)
published_sets = st.frozensets(st.sampled_from(sorted(KEYS)), min_size=1)


class Issuer:
    """An issuer whose answers the machine decides, and which takes note of every attempt."""

    def __init__(self, url, clock):
        self.url = url
        self.clock = clock
        self.published = frozenset({"one"})
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self.attempts = []
        self.served = []
        self.loaded = None

    async def fetch(self):
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.attempts.append(self.clock())
        try:
            await self.gate.wait()
            if self.broken:
                raise DocumentError("it answers 500")
            self.served.append(self.published)
            self.loaded = self.clock(), self.published
            return Document({"keys": [KEYS[kid] for kid in sorted(self.published)]})
        except asyncio.CancelledError:
            # An attempt that the store itself ended says nothing of the issuer, so it starts no cooldown.
            self.attempts.pop()
            raise
        finally:
            self.running -= 1


class Source:
    def __init__(self, issuers):
        self.places = {f"{issuer.url}/keys": issuer for issuer in issuers}

    async def fetch(self, url):
        return await self.places[url].fetch()


class StoreMachine(RuleBasedStateMachine):
    """The model: which sets were served and when; no answer may be older, other or more often asked for."""

    max_issuers = len(URLS)

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = self.latest = 1000.0
        self.went_back = False
        self.issuers = [Issuer(url, lambda: self.now) for url in URLS]
        self.store = JWKSStore(
            Source(self.issuers),
            jwks_uris={url: f"{url}/keys" for url in URLS},
            refresh_after=SOFT,
            cache_ttl=HARD,
            cooldown=COOLDOWN,
            max_issuers=self.max_issuers,
            clock=lambda: self.now,
        )
        self.waiting = []
        self.cancelled = 0

    @property
    def displaces(self):
        return self.max_issuers < len(URLS)

    def teardown(self):
        for issuer in self.issuers:
            issuer.gate.set()
        for task, _ in self.waiting:
            task.cancel()
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self):
        await asyncio.gather(*(task for task, _ in self.waiting), return_exceptions=True)
        await self.store.aclose()

    def turn(self, rounds=12):
        """Lets everything run that can run, and judges what is done."""

        async def wait():
            for _ in range(rounds):
                await asyncio.sleep(0)

        self.loop.run_until_complete(wait())
        done = [(task, issuer) for task, issuer in self.waiting if task.done()]
        self.waiting = [(task, issuer) for task, issuer in self.waiting if not task.done()]
        for task, issuer in done:
            self.judge(task, issuer)

    def judge(self, task, issuer):
        if task.cancelled():
            self.cancelled -= 1
            assert self.cancelled >= 0, "a wait was cancelled that nobody cancelled"
            return
        error = task.exception()
        if error is not None:
            assert isinstance(error, IssuerUnavailableError), error
            assert error.issuer == issuer.url
            assert error.retry_after >= 1
            return
        assert frozenset(task.result().key_ids) in issuer.served

    def current(self, issuer):
        """The keys that a request would get now. What it starts in the background has run when this returns."""

        async def ask():
            return self.store.current_and_refresh_ahead(issuer.url)

        current = self.loop.run_until_complete(ask())
        self.turn()
        return current

    def start(self, kind, issuer, count=1):
        tasks = [self.loop.create_task(getattr(self.store, kind)(issuer.url)) for _ in range(count)]
        self.waiting += [(task, issuer) for task in tasks]
        self.turn()
        return tasks

    def let_run(self, issuer, *, broken):
        """Ends what is held up, and goes on when every cooldown is over."""
        issuer.gate.set()
        self.turn()
        issuer.broken = broken
        self.now = max(self.now, self.latest) + COOLDOWN

    @rule(index=issuers, kids=published_sets)
    def rotate(self, index, kids):
        self.issuers[index].published = kids

    @rule(index=issuers, broken=st.booleans())
    def switch(self, index, broken):
        self.issuers[index].broken = broken

    @rule(index=issuers, closed=st.booleans())
    def hold(self, index, closed):
        if closed:
            self.issuers[index].gate.clear()
        else:
            self.issuers[index].gate.set()
            self.turn()

    @rule(seconds=st.sampled_from([0.5, COOLDOWN - 1, COOLDOWN, SOFT - 1, SOFT, HARD - 1, HARD, 10 * HARD]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(seconds=st.sampled_from([1, COOLDOWN, HARD]))
    def jump_back(self, seconds):
        self.latest = max(self.latest, self.now)
        self.now -= seconds
        self.went_back = True

    @rule(index=issuers, count=st.integers(1, 5), kind=st.sampled_from(["key_set", "refreshed_key_set"]))
    def look_up(self, index, count, kind):
        issuer = self.issuers[index]
        asked = [len(other.attempts) for other in self.issuers]
        self.start(kind, issuer, count)
        # All who ask at one instant cost one attempt.
        assert len(issuer.attempts) <= asked[index] + 1

    @rule(index=issuers)
    def refresh_ahead(self, index):
        self.current(self.issuers[index])
        self.turn()

    @rule(index=st.integers(0, 10))
    @precondition(lambda self: self.waiting)
    def cancel(self, index):
        running = [issuer.running for issuer in self.issuers]
        task, _ = self.waiting[index % len(self.waiting)]
        if task.cancel():
            self.cancelled += 1
        self.turn()
        assert [issuer.running for issuer in self.issuers] == running, "a fetch ended with one of its waiters"

    @rule()
    def close(self):
        self.loop.run_until_complete(self.store.aclose())
        self.turn()
        assert [issuer.running for issuer in self.issuers] == [0] * len(URLS)
        assert self.waiting == []

    @rule(index=issuers, kids=published_sets)
    def recover(self, index, kids):
        """With a sound issuer, one cooldown later an unknown kid finds what is published now, whatever the other issuers do."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=False)
        issuer.published = kids
        (task,) = self.start("refreshed_key_set", issuer)
        assert task.result().key_ids == kids

    @rule(index=issuers)
    def find(self, index):
        """With a sound issuer, one cooldown later its keys are had: displaced or too old, they are fetched again."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=False)
        (task,) = self.start("key_set", issuer)
        assert task.result().key_ids in issuer.served

    @rule(index=issuers)
    def fail(self, index):
        """During an outage loaded keys stay, an unknown kid is no verdict, and the cooldown counts."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=True)
        loaded = self.current(issuer)
        (task,) = self.start("refreshed_key_set", issuer)
        assert isinstance(task.exception(), IssuerUnavailableError)
        assert self.current(issuer) is loaded
        asked = len(issuer.attempts)
        for kind in ("refreshed_key_set", "key_set"):
            self.start(kind, issuer, 3)
        assert len(issuer.attempts) == asked

    @rule(index=issuers, count=st.integers(2, 6), place=st.integers(0, 5))
    def leave(self, index, count, place):
        """Who leaves ends its own wait only: the fetch goes on, and the others get what it brings."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=False)
        issuer.gate.clear()
        tasks = self.start("refreshed_key_set", issuer, count)
        assert issuer.running == 1
        self.cancelled += 1
        tasks[place % count].cancel()
        self.turn()
        assert issuer.running == 1
        issuer.gate.set()
        self.turn()
        assert [task.cancelled() for task in tasks].count(True) == 1
        assert {task.result().key_ids for task in tasks if not task.cancelled()} == {issuer.published}

    @rule(index=issuers)
    def age(self, index):
        """Past their hard age keys are gone, and an issuer that cannot be asked means that nothing can be judged."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=True)
        self.now += HARD
        assert self.current(issuer) is None
        (task,) = self.start("key_set", issuer)
        assert isinstance(task.exception(), IssuerUnavailableError)

    @rule(index=issuers)
    def soften(self, index):
        """From their soft age on loaded keys are used and refreshed in the background; before it they are only used."""
        issuer = self.issuers[index]
        self.let_run(issuer, broken=False)
        (task,) = self.start("refreshed_key_set", issuer)
        asked = len(issuer.attempts)
        self.now += SOFT - 1
        assert self.current(issuer) is task.result()
        assert len(issuer.attempts) == asked
        self.now += 1
        assert self.current(issuer) is task.result()
        assert len(issuer.attempts) == asked + 1

    @invariant()
    def one_attempt_at_a_time(self):
        assert [issuer.most_running for issuer in self.issuers if issuer.most_running > 1] == []

    @invariant()
    def keys_are_those_last_served_and_good_ones_are_not_lost(self):
        remembered = 0
        for issuer in self.issuers:
            loaded = issuer.loaded
            current = self.current(issuer)
            if current is not None:
                remembered += 1
                assert current.key_ids == loaded[1]
                assert self.now < loaded[0] + HARD, "keys are past their hard age"
            elif loaded is not None and not self.displaces and not self.went_back:
                assert self.now >= loaded[0] + HARD, "good keys are lost before their hard age"
        assert remembered <= self.max_issuers

    @invariant()
    def attempts_keep_the_cooldown(self):
        if self.displaces or self.went_back:
            return
        for issuer in self.issuers:
            for first, second in zip(issuer.attempts, issuer.attempts[1:], strict=False):
                assert second - first >= COOLDOWN


class CrowdedStoreMachine(StoreMachine):
    max_issuers = 1


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
CrowdedStoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestStore = StoreMachine.TestCase
TestCrowdedStore = CrowdedStoreMachine.TestCase
