import re

import numpy as np
import pytest

from stylekit.reporting.charts import line_chart, scatter_chart, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 47.0, [0, 10, 20, 30, 40]),
        (-0.3, 0.3, [-0.2, 0.0, 0.2]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_ticks_are_round_and_inside(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_the_largest_value_is_drawn_highest_and_the_last_step_furthest_right():
    drawing = str(line_chart({"a": [(0, 1.0), (10, 3.0), (20, 2.0)]}, {"a": 0}))
    (points,) = re.findall(r'points="([^"]+)"', drawing)
    (x0, y0), (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in points.split())
    assert x0 < x1 < x2
    assert y1 < y2 < y0  # y grows downwards
    assert x1 == pytest.approx((x0 + x2) / 2)


def test_values_that_are_not_finite_are_left_out_and_names_are_escaped():
    drawing = str(line_chart({"<b>": [(0, 1.0), (1, float("nan")), (2, 2.0)]}, {"<b>": 1}))
    (points,) = re.findall(r'points="([^"]+)"', drawing)
    assert len(points.split()) == 2
    assert "<b>" not in drawing
    assert "&lt;b&gt;" in drawing


def test_long_series_are_thinned_and_keep_their_end():
    drawing = str(line_chart({"a": [(step, float(step)) for step in range(10_001)]}, {"a": 0}))
    (points,) = re.findall(r'points="([^"]+)"', drawing)
    assert len(points.split()) <= 402
    assert points.split()[-1] == "468.0,10.0"  # the right upper corner


def test_a_map_has_a_mark_for_each_point_in_the_colour_of_its_label():
    points = np.random.default_rng(0).normal(size=(12, 2))
    drawing = str(scatter_chart(points, [7] * 6 + [9] * 6, "style"))
    assert drawing.count("fill-c0") == drawing.count("fill-c1") == 6
    assert drawing.count("<title>style 9</title>") == 6
