from __future__ import annotations

import pytest

from stylekit.curation.estimate import Estimate, Rate


def test_time_and_price_follow_from_the_rate():
    assert Rate(12.0, 0.5).estimate(1_360_000) == Estimate(1_360_000, 1_360_000 / 12, 680_000.0)
    assert Rate(12.0, 0.5).estimate(1_360_000, num_workers=4).seconds == 1_360_000 / 48
    assert Rate().estimate(10) == Estimate(10, None, None)


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(1_360_000, 113_400.0, 1_360.0), "1,360,000, about 32 hours, for 1,360.00"),
        (Estimate(10, None, None), "10, time unknown"),
        (Estimate(10, 0.44, None), "10, about 0.4 seconds"),
        (Estimate(10, 150.0, 0.0), "10, about 2.5 minutes, for 0.00"),
        (Estimate(10, 86_400.0 * 40, None), "10, about 40 days"),
    ],
)
def test_estimates_are_said_in_units_that_fit(estimate, said):
    assert estimate.describe() == said
