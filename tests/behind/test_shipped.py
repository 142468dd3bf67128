"""Nothing that an engine ships stays unlooked at: a release with a new middleware, transform, provider or extension fails here."""

from behind.rows import FASTMCP, SDK
from behind.shipped import shipped


def test_every_class_that_stands_between_a_message_and_what_it_asks_for_is_looked_at():
    looked_at = set(FASTMCP) | set(SDK)
    assert [f"{name} is not looked at; add a row to tests/behind/rows.py" for name in sorted(shipped() - looked_at)] == []
    assert [f"{name} is shipped no more; delete its row" for name in sorted(looked_at - shipped())] == []
