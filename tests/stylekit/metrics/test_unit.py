import math

import pytest

from stylekit.metrics import UNITS, unit_note


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("percent", (0.5, 0.45, 0.55), "50.0 [45.0, 55.0]"),
        ("dB", (27.123, 26.5, 28.0), "27.12 [26.50, 28.00]"),
        ("fid", (81.26, 70.0, 90.0), "81.3 [70.0, 90.0]"),
        ("kid", (0.01234, -0.001, 0.02), "12.34 [-1.00, 20.00]"),
        ("cosine", (0.8125, 0.75, 0.875), "0.812 [0.750, 0.875]"),
        ("distance", (0.5, 0.25, 1.5), "0.500 [0.250, 1.500]"),
        ("bytes", (3 * 2.0**20, 2.0**20, 2.0**30), "3 [1, 1024]"),
        ("seconds", (0.25, 0.2, 0.3), "0.250 [0.200, 0.300]"),
    ],
)
def test_values_are_written_in_their_unit(unit, values, expected):
    assert UNITS[unit].write(*values) == expected


def test_differences_are_signed_and_have_twice_the_range():
    assert UNITS["dB"].write(1.0, -0.5, 2.0, signed=True) == "+1.00 [-0.50, +2.00]"
    assert UNITS["percent"].difference_limits == (-1.0, 1.0)
    assert UNITS["cosine"].difference_limits == (-2.0, 2.0)
    assert UNITS["points"].difference_limits == (-2.0, 2.0)
    assert UNITS["dB"].difference_limits == (-math.inf, math.inf)


def test_percent_goes_without_saying_only_alone():
    assert unit_note(["percent", "percent"]) == "percent"
    assert unit_note(["percent", "dB"]) == "percent where no unit is named"
