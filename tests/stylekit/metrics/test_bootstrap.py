import numpy as np
import pytest

from stylekit.metrics.bootstrap import mean_interval, paired_difference


def simulate(generator, num_seeds, num_styles, seed_sd, style_sd, noise_sd=0.1):
    return (
        seed_sd * generator.standard_normal((num_seeds, 1))
        + style_sd * generator.standard_normal((1, num_styles))
        + noise_sd * generator.standard_normal((num_seeds, num_styles))
    )


@pytest.mark.parametrize(
    ("num_seeds", "num_styles", "seed_sd", "style_sd"),
    [
        (1, 16, 0.0, 0.2),
        (1, 60, 0.0, 0.2),
        (3, 60, 0.02, 0.2),
        (3, 60, 0.1, 0.2),
        (3, 60, 0.2, 0.01),
        (5, 60, 0.1, 0.1),
    ],
)
def test_interval_holds_in_95_percent_of_cases(num_seeds, num_styles, seed_sd, style_sd):
    generator, num_cases = np.random.default_rng(0), 600
    held = 0
    for case in range(num_cases):
        found = mean_interval(
            simulate(generator, num_seeds, num_styles, seed_sd, style_sd), num_resamples=500, seed=case
        )
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / num_cases <= 0.98


def test_interval_of_one_seed_is_that_of_the_normal_theory():
    values = np.random.default_rng(1).standard_normal(400)
    found = mean_interval(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.mean == pytest.approx(half, rel=0.1)
    assert found.mean - found.low == pytest.approx(half, rel=0.1)


def test_whole_clusters_are_resampled():
    values = np.repeat(np.random.default_rng(2).standard_normal(30), 8)
    clustered = mean_interval(values, clusters=np.arange(240) // 8)
    alone = mean_interval(values)
    ratio = (clustered.high - clustered.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.15)


def test_constant_values_have_no_width():
    assert mean_interval(np.full((3, 20), 0.25)) == (0.25, 0.25, 0.25)


def test_interval_is_cut_to_the_range_of_the_metric():
    found = mean_interval([[1.0, 1.0, 0.9], [0.8, 1.0, 1.0]], limits=(0.0, 1.0))
    assert found.high == 1.0


def test_same_values_give_the_same_interval():
    values = np.random.default_rng(3).random((3, 40))
    assert mean_interval(values) == mean_interval(values.copy())
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_pairing_removes_what_styles_share():
    generator = np.random.default_rng(4)
    difficulty = generator.random(60)
    ours, theirs = difficulty + 0.1 + 0.01 * generator.standard_normal((3, 60)), difficulty
    difference = paired_difference(ours, theirs)
    assert difference.mean == pytest.approx(0.1, abs=0.005)
    assert difference.high - difference.low < 0.02 < mean_interval(ours).high - mean_interval(ours).low


def test_unpaired_styles_are_refused():
    with pytest.raises(ValueError, match="do not pair"):
        paired_difference(np.zeros((3, 5)), np.zeros(4))


def test_one_style_has_no_interval():
    with pytest.raises(ValueError, match="at least two"):
        mean_interval([[0.5], [0.6]])


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        mean_interval([0.5, np.nan])
