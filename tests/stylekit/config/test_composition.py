from __future__ import annotations

from pathlib import Path

import pytest

from stylekit.config import Config, compose, compose_group, digest
from stylekit.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "experiment/tiny.yaml": """
            method: linear
            foundation: small
            trainer: {_file_: short, log_every_n_steps: 3}
            seed: 7
            stages:
              fit:
                _target_: torch.nn.Linear
                in_features: 4
                out_features: ${seed}
            """,
        "experiment/tiny_smoke.yaml": """
            _file_: tiny
            trainer: {_file_: short, max_steps: 1}
            stages: {fit: {in_features: 1}}
            """,
        "method/linear.yaml": """
            _target_: torch.nn.Sequential
            foundation: ${foundation}
            """,
        "method/other.yaml": "_target_: torch.nn.Identity",
        "foundation/small.yaml": """
            _target_: torch.nn.Linear
            in_features: 2
            out_features: ${seed}
            """,
        "trainer/short.yaml": """
            _target_: lightning.pytorch.Trainer
            max_steps: 10
            """,
        "trainer/long.yaml": """
            _target_: lightning.pytorch.Trainer
            max_steps: 1000
            """,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        path.write_text("\n".join(line[indent:] for line in lines) + "\n")
    return tmp_path


def make(folder: Path, *overrides: str, experiment: str = "tiny") -> Config:
    return compose(experiment, overrides, [folder])


def fails(folder: Path, *overrides: str, experiment: str = "tiny") -> str:
    with pytest.raises(ConfigError) as caught:
        make(folder, *overrides, experiment=experiment)
    return str(caught.value)


def test_experiment_names_files_and_changes_values(folder: Path) -> None:
    config = make(folder)
    assert config.name == "tiny"
    assert config.values["trainer"] == {
        "_target_": "lightning.pytorch.Trainer",
        "max_steps": 10,
        "log_every_n_steps": 3,
    }
    assert config.choices == {"method": "linear", "foundation": "small", "trainer": "short"}


def test_interpolations_resolve_after_overrides(folder: Path) -> None:
    values = make(folder, "seed=9", "foundation.in_features=5").values
    assert values["method"]["foundation"] == {
        "_target_": "torch.nn.Linear",
        "in_features": 5,
        "out_features": 9,
    }
    assert values["stages"]["fit"]["out_features"] == 9


def test_group_override_is_applied_before_values_whatever_the_order(folder: Path) -> None:
    values = make(folder, "trainer.max_steps=5", "trainer=long").values
    assert values["trainer"] == {"_target_": "lightning.pytorch.Trainer", "max_steps": 5}


def test_override_may_set_a_keyword_that_the_files_leave_out(folder: Path) -> None:
    assert make(folder, "trainer.strategy=ddp").values["trainer"]["strategy"] == "ddp"


def test_override_values_are_yaml(folder: Path) -> None:
    trainer = make(
        folder,
        "trainer.a=1e-3",
        "trainer.b=[1, 2]",
        "trainer.c=null",
        "trainer.d=true",
        "trainer.e=2020-01-01",
    ).values["trainer"]
    assert [trainer[key] for key in "abcde"] == [0.001, [1, 2], None, True, "2020-01-01"]


def test_null_takes_a_group_out(folder: Path) -> None:
    assert "foundation" not in make(folder, "method=other", "foundation=null").values


def test_what_names_a_group_that_is_null_is_null(folder: Path) -> None:
    config = make(folder, "foundation=null")
    assert "foundation" not in config.values
    assert config.values["method"]["foundation"] is None
    (folder / "again.yaml").write_text(config.to_yaml())
    assert compose(str(folder / "again.yaml"), config_dirs=[folder]).values == config.values


def test_keys_in_override_values_are_words(folder: Path) -> None:
    trainer = make(folder, "trainer.a={1: [2, {3: 4}]}").values["trainer"]
    assert trainer["a"] == {"1": [2, {"3": 4}]}


def test_origins_name_file_and_line_or_override(folder: Path) -> None:
    config = make(folder, "stages.fit.in_features=3")
    assert config.origin("trainer.max_steps") == f"{folder}/trainer/short.yaml:2"
    assert config.origin("trainer.log_every_n_steps") == f"{folder}/experiment/tiny.yaml:3"
    assert config.origin("stages.fit.in_features") == "override 'stages.fit.in_features=3'"
    assert config.origin("method.foundation.in_features") == f"{folder}/foundation/small.yaml:2"
    assert config.origin("runs") == "default"


def test_experiment_builds_on_another(folder: Path) -> None:
    values = make(folder, experiment="tiny_smoke").values
    assert values["stages"]["fit"] == {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 7}
    assert values["trainer"]["max_steps"] == 1
    assert values["name"] == "tiny_smoke"


def test_a_mapping_changes_the_file_that_the_other_experiment_names(folder: Path) -> None:
    path = folder / "experiment" / "wide.yaml"
    path.write_text("_file_: tiny\nfoundation: {in_features: 9}\n")
    config = make(folder, experiment="wide")
    assert config.values["foundation"] == {"_target_": "torch.nn.Linear", "in_features": 9, "out_features": 7}
    assert config.choices["foundation"] == "small"
    assert config.origin("foundation.in_features").endswith("wide.yaml:2")
    path.write_text("_file_: tiny\nfoundation: {_target_: torch.nn.Identity}\n")
    assert make(folder, experiment="wide").values["foundation"] == {"_target_": "torch.nn.Identity"}


def test_a_group_that_says_nothing_to_build_is_refused(folder: Path) -> None:
    (folder / "experiment" / "wide.yaml").write_text("method: {foundation: null}\n")
    assert "wide.yaml:1: method says nothing to build: begin it with _file_" in fails(
        folder, experiment="wide"
    )


def test_resolved_config_reads_back_the_same(folder: Path, tmp_path: Path) -> None:
    config = make(folder, "seed=3")
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert compose(str(tmp_path), [], [folder]).values == config.values
    again = compose(str(path), [], [folder])
    assert again.values == config.values
    assert again.choices == config.choices
    assert compose(str(path), ["trainer=long"], [folder]).choices["trainer"] == "long"


def test_override_of_a_config_read_back_reaches_all_who_use_it(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(make(folder).to_yaml())
    values = compose(str(path), ["foundation.in_features=9", "seed=5"], [folder]).values
    assert values["method"]["foundation"]["in_features"] == 9
    assert values["stages"]["fit"]["out_features"] == 5


def test_group_alone_composes(folder: Path) -> None:
    config = compose_group("trainer", "short", ["trainer.max_steps=2"], [folder])
    assert config.values["trainer"]["max_steps"] == 2


def test_digest_ignores_where_a_run_is_kept_and_follows_what_it_computes(folder: Path) -> None:
    first = digest(make(folder))
    assert len(first) == 8
    assert digest(make(folder, "runs=/elsewhere", "name=renamed")) == first
    assert digest(make(folder, "trainer.enable_progress_bar=false")) == first
    assert digest(make(folder, "trainer.max_steps=11")) != first
    assert digest(make(folder, "seed=8")) != first


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trianer.max_steps=3", "Did you mean 'trainer'?"),
        ("stages.fti.in_features=3", "Did you mean 'fit'?"),
        ("trainer=shrt", "Did you mean 'short'?"),
        ("trainer=shrt", "Valid: default, long, short."),
        ("in_features=3", "there is no key 'in_features'"),
        ("benchmark.size=3", "names no benchmark; choose one with benchmark=NAME"),
        ("method.foundation.in_features=3", "set foundation.in_features instead"),
        ("seed.x=3", "seed is 7 and has no keys"),
        ("trainer", "write group=name"),
        ("+seed=3", "write group=name"),
        ("seed=[1", "the value is not YAML"),
        ("trainer=3", "trainer takes the name of a file"),
        ("trainer=../secret", "there is no trainer '../secret'"),
        ("seed=${oc.env:HOME}", "Environment variables are not read"),
        ("seed=${oc.${name}:HOME}", "Environment variables are not read"),
        ("seed=${seeed}", "Did you mean 'seed'?"),
        ("seed=${seed}", "refers to itself"),
        ("foundation.in_features=${foundation}", "refers to itself"),
        ("seed=${trainer.max_stps}", "Did you mean 'trainer.max_steps'?"),
        ("seed=a${", "does not close"),
    ],
)
def test_wrong_override_is_named_with_a_way_out(folder: Path, override: str, expected: str) -> None:
    message = fails(folder, override)
    assert expected in message
    assert f"override {override!r}" in message


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "experiment/tiny.yaml",
            "methd: linear",
            "tiny.yaml:1: an experiment has no key 'methd'. Did you mean 'method'?",
        ),
        (
            "experiment/tiny.yaml",
            "method: linaer",
            "tiny.yaml:1: there is no method 'linaer'. Did you mean 'linear'?",
        ),
        ("experiment/tiny.yaml", "seed: 1\nseed: 2", "tiny.yaml:2: 'seed' is given twice; the first is at"),
        ("experiment/tiny.yaml", "seed: [1", "tiny.yaml:2: YAML syntax"),
        ("experiment/tiny.yaml", "- method", "must hold `key: value` lines"),
        ("experiment/tiny.yaml", "1: 2", "keys are words"),
        ("experiment/tiny.yaml", "seed: !!python/object/apply:os.system [ls]", "tiny.yaml:1: YAML syntax"),
        ("experiment/tiny.yaml", "seed: !!binary aGk=", "tiny.yaml:1: values are text"),
        ("experiment/tiny.yaml", "stages: &a {b: *a}", "alias refers to the mapping"),
        ("experiment/tiny.yaml", "_file_: tiny", "builds on itself: tiny -> tiny"),
        (
            "experiment/tiny.yaml",
            "method: linear\nfoundation: small\nseed: ${oc.env:HOME}",
            "tiny.yaml:3: '${oc.env:HOME}'",
        ),
        ("trainer/short.yaml", "max_steps: [1", "short.yaml:2: YAML syntax"),
    ],
)
def test_wrong_file_is_named_with_its_line(folder: Path, file: str, text: str, expected: str) -> None:
    if not file.startswith("experiment"):
        (folder / file).write_text(text + "\n")
        assert expected in fails(folder)
        return
    (folder / file).write_text(text + "\n")
    assert expected in fails(folder)


def test_all_mistakes_come_at_once(folder: Path) -> None:
    message = fails(
        folder, "trainer=shrt", "seeed=3", "stages.fit.in_features=text", "foundation.in_featurs=2"
    )
    assert message.startswith("5 mistakes in experiment 'tiny':")
    assert "stages.fit.in_features must be int for Linear, not 'text'" in message
    assert "foundation: Linear takes no 'in_featurs'. Did you mean 'in_features'?" in message


def test_two_files_of_one_name_are_refused_naming_both(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "trainer").mkdir(parents=True)
    (other / "trainer" / "short.yaml").write_text("_target_: lightning.pytorch.Trainer\n")
    with pytest.raises(
        ConfigError, match=r"claimed by .*/trainer/short.yaml and .*/other/trainer/short.yaml"
    ):
        compose("tiny", [], [folder, other])


def test_missing_folder_and_unknown_experiment_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        compose("tiny", [], [folder, folder / "absent"])
    assert "Did you mean 'tiny'?" in fails(folder, experiment="tinny")
    assert "cannot be read" in fails(folder, experiment="absent.yaml")
