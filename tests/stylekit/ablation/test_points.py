import pytest
import yaml

from stylekit.ablation.points import expand
from stylekit.errors import ConfigError

AXES = {
    "objective": {"both": [], "scl": ["method.itc_weight=0"], "itc": ["method.scl_weight=0"]},
    "method.temperature": [0.07, 0.2],
}


def test_all_combinations_last_axis_fastest():
    points = expand(AXES)
    assert [point.name for point in points[:3]] == [
        "objective=both,method.temperature=0.07",
        "objective=both,method.temperature=0.2",
        "objective=scl,method.temperature=0.07",
    ]
    assert points[3].overrides == ("method.itc_weight=0", "method.temperature=0.2")
    assert len(points) == 6


def test_a_rule_excludes_where_all_its_labels_agree():
    points = expand(AXES, [{"objective": "itc", "method.temperature": [0.2]}, {"objective": ["both"]}])
    assert [point.name for point in points] == [
        "objective=scl,method.temperature=0.07",
        "objective=scl,method.temperature=0.2",
        "objective=itc,method.temperature=0.07",
    ]


def test_no_axes_is_one_point():
    assert [(point.name, point.overrides) for point in expand({})] == [("all", ())]


def test_values_become_overrides_that_yaml_reads_back():
    values = [[1, 2], "mini_siglip", None, 1.5, True, "off", "1", "null", "a: b"]
    for value in values:
        (one,) = expand({"key": [value]})
        (text,) = one.overrides
        assert yaml.safe_load(text.removeprefix("key=")) == value


@pytest.mark.parametrize(
    ("axes", "exclude", "message"),
    [
        ({"a": []}, [], "axes.a is empty"),
        ({"a": 3}, [], "axes.a must be a list"),
        ({"a": {"x": "method.b=1"}}, [], r"axes.a.x must be a list of overrides"),
        ({"a": [1, 1]}, [], "names a value twice"),
        ({"temperature": [1]}, [{"temprature": 1}], "Did you mean 'temperature'"),
        ({"a": [1, 2]}, [{"a": 3}], "axis a has no value '3'"),
        ({"a": [1, 2]}, [{"a": [1, 2]}], "nothing is left"),
    ],
)
def test_mistakes_are_named(axes, exclude, message):
    with pytest.raises(ConfigError, match=message):
        expand(axes, exclude)
