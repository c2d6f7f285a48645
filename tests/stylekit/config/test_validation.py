from __future__ import annotations

from typing import Any

import pytest

from stylekit.config import Config, check, compose
from stylekit.errors import ConfigError, MissingError

TRAINER = {"_target_": "lightning.pytorch.Trainer"}
ADAMW = {"_target_": "torch.optim.AdamW", "_partial_": True}
LINEAR = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}


def config(**values: Any) -> Config:
    return Config("tiny", {"name": "tiny", "seed": 0, "runs": "runs", "stages": {}} | values, {})


def mistakes(**values: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check(config(**values))
    return str(caught.value)


def test_right_config_passes() -> None:
    check(
        config(
            trainer={
                **TRAINER,
                "max_steps": 3,
                "precision": "bf16-mixed",
                "devices": [0, 1],
                "gradient_clip_val": 1,
            },
            stages={"fit": {"optimizer": {**ADAMW, "lr": 1e-3, "betas": [0.9, 0.98], "weight_decay": 0}}},
        )
    )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({**TRAINER, "max_step": 3}, "Trainer takes no 'max_step'. Did you mean 'max_steps'?"),
        ({**TRAINER, "max_steps": "3"}, "trainer.max_steps must be int for Trainer, not '3'"),
        ({**TRAINER, "max_steps": 3.5}, "trainer.max_steps must be int"),
        ({**TRAINER, "max_steps": True}, "trainer.max_steps must be int"),
        ({**TRAINER, "accelerator": 3}, "trainer.accelerator must be"),
        ({**TRAINER, "precision": "16-mixd"}, "trainer.precision must be"),
        ({**TRAINER, "_max": 1}, "takes no '_max'"),
        ({**TRAINER, "_partial_": 1}, "_partial_ must be true or false"),
        (
            {**TRAINER, "callbacks": [{"_target_": "os.system"}]},
            "trainer.callbacks.0: _target_ 'os.system' is",
        ),
        ({**ADAMW, "lr": "fast"}, "trainer.lr must be"),
        ({**ADAMW, "betas": [0.9]}, "trainer.betas must be"),
        (
            {"_target_": "torch.nn.Linear", "out_features": 1},
            "Linear needs 'in_features'; set trainer.in_features",
        ),
        ({**TRAINER, "accelerator": "???"}, "trainer.accelerator has no value; give it one"),
        ({"_partial_": True}, "trainer has _partial_ but no _target_"),
    ],
)
def test_each_kind_of_mistake_is_named(node: dict[str, Any], expected: str) -> None:
    assert expected in mistakes(trainer=node)


def test_node_of_the_wrong_class_is_named() -> None:
    linear_for_an_accelerator = {**TRAINER, "accelerator": LINEAR}
    assert "trainer.accelerator must be" in mistakes(trainer=linear_for_an_accelerator)


def test_partial_needs_no_required_keywords() -> None:
    check(config(trainer={"_target_": "torch.nn.Linear", "_partial_": True}))


def test_all_mistakes_are_numbered() -> None:
    text = mistakes(trainer={**TRAINER, "max_step": 3, "devices": 1.5}, seed="zero", runs=None)
    assert [line.split(".")[0].strip() for line in text.splitlines()[1:]] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere"])
def test_name_cannot_leave_the_folder_of_runs(name: str) -> None:
    with pytest.raises(ConfigError, match="would lie elsewhere"):
        check(Config(name, config().values, {}))


def test_needed_group_that_is_not_chosen_is_named() -> None:
    with pytest.raises(ConfigError, match="names no data; choose one with data=NAME"):
        check(config(), needs=["data"])


def test_missing_packages_alone_are_a_missing_error() -> None:
    missing = {"_target_": "methods.not_installed_anywhere.Method"}
    with pytest.raises((MissingError, ConfigError)):
        check(config(method=missing))


def test_stages_are_those_of_the_method() -> None:
    method = {
        "_target_": "methods.megastyle_encoder.MegaStyleEncoder",
        "foundation": None,
    }
    text = mistakes(method=method, stages={"sslc": {}})
    assert "has no stage 'sslc'. Did you mean 'sscl'?" in text


@pytest.mark.parametrize("settings", [3, {"max_steps": 3}])
def test_settings_of_a_stage_are_something_to_build(settings: Any) -> None:
    method = {"_target_": "methods.megastyle_encoder.MegaStyleEncoder", "foundation": None}
    text = mistakes(method=method, stages={"sscl": settings})
    assert "stages.sscl says nothing to build; give it _target_: stylekit.stage.Stage, or null" in text


def test_a_stage_may_be_left_out() -> None:
    check(compose("pretrain_mini_flux", ["stages.easy=null"]))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_that_no_generator_takes_is_a_mistake(seed: int) -> None:
    assert "seed must lie between 0 and 4294967295" in mistakes(seed=seed)


def test_settings_that_do_not_go_together_are_reported_all_at_once_before_anything_loads():
    overrides = ["stages.sscl.warmup_steps=900", "data.source.num_contents=3", "benchmark.num_groups=1"]
    config = compose("megastyle_encoder", [*overrides, "foundation.name_or_path=/absent"])
    with pytest.raises(ConfigError) as error:
        check(config)
    text = str(error.value)
    assert "stages.sscl: warmup_steps (900) must be below max_steps (800)" in text
    assert "data: AtelierSource: num_contents (3) must be at least contents_per_style" in text
    assert "benchmark: benchmark.num_groups must be at least 2" in text


@pytest.mark.parametrize(
    ("name", "group", "override", "expected"),
    [
        ("megastyle_encoder", "experiment", "foundation=null", "method.foundation must be Siglip for"),
        ("demo", "curation", "generator=null", "curation.synthesize.generator must be Synthesizer for"),
    ],
)
def test_null_group_is_refused_where_a_constructor_needs_it(name, group, override, expected):
    with pytest.raises(ConfigError) as caught:
        check(compose(name, [override], group=group), group=group)
    (mistake,) = str(caught.value).splitlines()[1:]
    assert f"override '{override}': {expected}" in mistake
    assert mistake.endswith("not null.")


def test_null_group_is_taken_where_a_constructor_can_do_without() -> None:
    check(compose("demo", ["content_captioner=null"], group="curation"), group="curation")


def test_group_that_cannot_be_read_is_one_mistake() -> None:
    with pytest.raises(ConfigError, match=r"^1 mistake in curation 'demo'"):
        compose("demo", ["content_captioner=qwen3_vl"], group="curation")
