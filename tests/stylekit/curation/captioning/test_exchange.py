from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylekit.curation.captioning.exchange import backoff, retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(0, 2_000), st.floats(0.01, 10), st.floats(0.01, 100), st.integers())
def test_waits_grow_to_a_limit(attempt, first, longest, seed):
    wait = backoff(attempt, first, longest, random.Random(seed))
    assert 0 <= wait <= longest
    assert wait <= first * 2 ** min(attempt, 60)


def test_waits_are_spread_over_the_whole_time_and_follow_the_seed():
    waits = [backoff(3, 1.0, 60.0, random.Random(seed)) for seed in range(400)]
    assert min(waits) < 0.1
    assert max(waits) > 7.9
    assert waits[7] == 8 * random.Random(7).random()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:04:15", 10.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, NOW) == seconds
