from __future__ import annotations

import pytest

from stylekit.bounds import Count, Positive, ProperFraction, bounded, describe_bounds
from stylekit.errors import ConfigError


class Settings:
    @bounded
    def __init__(self, steps: Positive, warmup: Count = 0, decay: ProperFraction | None = None) -> None:
        self.all = (steps, warmup, decay)


def test_values_within_their_ranges_arrive():
    assert Settings(1).all == (1, 0, None)
    assert Settings(3, warmup=0, decay=0.5).all == (3, 0, 0.5)


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0])
def test_an_open_range_excludes_its_ends(decay):
    with pytest.raises(ConfigError, match="decay must be above 0 and below 1"):
        Settings(1, decay=decay)


def test_all_values_out_of_range_are_named_at_once():
    with pytest.raises(ConfigError) as error:
        Settings(0, -1)
    assert str(error.value) == (
        "Settings: steps must be at least 1, not 0.\nSettings: warmup must be at least 0, not -1."
    )


def test_bounds_in_words():
    assert describe_bounds(Positive) == "at least 1"
    assert describe_bounds(ProperFraction | None) == "above 0 and below 1"
    assert describe_bounds(int) == ""
