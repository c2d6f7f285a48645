"""Ablations of a tiny experiment, their tasks run in this process unless a test is about processes."""

import csv
import json
import shlex
from pathlib import Path

import pytest
import yaml

from stylekit.ablation import ablate, read_ablation, task
from stylekit.details import read_details
from stylekit.errors import ConfigError, StylekitError
from stylekit.launching import Job, Local
from stylekit.metrics import mean_interval, paired_difference

BENCHMARK = [
    "benchmark.num_styles=4", "benchmark.num_contents=3", "benchmark.num_groups=0", "benchmark.baselines=[]",
]  # fmt: skip


class Ran(Job):
    def __init__(self, code):
        self.code = code

    def poll(self):
        return self.code

    def stop(self):
        pass

    def kill(self):
        pass


@pytest.fixture
def launched(monkeypatch):
    """The commands that were launched; each runs here and now."""
    commands = []

    def start(self, one):
        commands.append(one.command)
        one.log.parent.mkdir(parents=True, exist_ok=True)
        one.log.write_text(shlex.join(one.command))
        assert one.command[1:3] == ("-m", "stylekit.ablation.task")
        return Ran(task.main(one.command[3:]))

    monkeypatch.setattr(Local, "start", start)
    monkeypatch.setattr(Local, "poll_seconds", 0.0)
    return commands


@pytest.fixture
def settings(tiny_siglip, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [
        f"foundation.name_or_path={tiny_siglip}",
        f"data.cache_dir={tmp_path_factory.getbasetemp() / 'ablation_cache'}",
        "data.source.num_styles=12", "data.source.contents_per_style=3", "data.source.num_contents=10",
        "data.source.held_out_styles=4", "data.source.cache_images=100",
        "data.styles_per_batch=4", "data.val_styles=0", "tracking=local",
        "trainer.enable_progress_bar=false", "trainer.accelerator=cpu",
        "stages.sscl.max_steps=2", "stages.sscl.warmup_steps=0", "stages.sscl.validate_every=0",
        *BENCHMARK,
    ]  # fmt: skip


def write(folder: Path, **settings) -> Path:
    path = folder / "configs" / "ablation" / "tiny.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"_target_": "stylekit.ablation.Ablation", "experiment": "megastyle_encoder"} | settings
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    return folder / "configs"


def test_points_are_run_compared_and_not_run_again(settings, tmp_path, launched):
    axes = {"method.temperature": [0.07, 0.5]}
    dirs = [write(tmp_path, axes=axes, seeds=[0, 1], metrics=["random/recall_at_1"])]
    result = ablate("tiny", *settings, config_dirs=dirs)
    assert len(launched) == 4
    assert [row.labels for row in result.rows] == [
        {"method.temperature": "0.07"},
        {"method.temperature": "0.5"},
    ]

    folder = Path("runs/ablations/tiny")
    first, second = (
        [read_details(folder / path).scores["random/recall_at_1"][0] for path in row.results]
        for row in result.rows
    )
    metric = result.rows[1].metrics["random/recall_at_1"]
    assert (metric.mean, metric.low, metric.high) == pytest.approx(
        mean_interval(second, limits=(0.0, 1.0)), abs=1e-6
    )
    change = result.rows[1].differences["random/recall_at_1"]
    expected = paired_difference(second, first, limits=(-1.0, 1.0))
    assert (change.mean, change.low, change.high) == pytest.approx(expected, abs=1e-6)
    assert result.rows[0].differences == {}

    assert read_ablation(folder / "result.json") == result
    assert "| 0.5 | 2 |" in (folder / "table.md").read_text()
    lines = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert {line["metric"] for line in lines} > {"random/recall_at_1", "random/leakage"}
    assert float(lines[0]["mean"]) == result.rows[0].metrics[lines[0]["metric"]].mean

    again = ablate("tiny", *settings, config_dirs=dirs)
    assert len(launched) == 4
    assert again.rows == result.rows

    ablate("tiny", *settings, "ablation.seeds=[0,1,2]", config_dirs=dirs)
    assert len(launched) == 6  # only the new seed


def test_a_point_that_fails_is_reported_with_its_log_and_the_others_finish(settings, tmp_path, launched):
    # 1e39 overflows float32: the loss is infinite.
    dirs = [write(tmp_path, axes={"method.scl_weight": [1.0, 1.0e39]})]
    with pytest.raises(StylekitError, match=r"(?s)1 of the tasks failed.*scl_weight=1e\+39 seed 0.*\.log"):
        ablate("tiny", *settings, config_dirs=dirs)
    result = read_ablation(Path("runs/ablations/tiny/result.json"))
    assert [row.labels for row in result.rows] == [{"method.scl_weight": "1.0"}]
    assert list(result.failed) == ["method.scl_weight=1e+39 seed 0"]
    with pytest.raises(StylekitError):
        ablate("tiny", *settings, config_dirs=dirs)
    assert len(launched) == 3  # the failed one was tried again, the other not


def test_any_point_can_be_run_alone_from_its_file(settings, tmp_path, launched):
    from stylekit.training import train

    result = ablate("tiny", *settings, config_dirs=[write(tmp_path, axes={"method.temperature": [0.07]})])
    (file,) = Path("runs/ablations/tiny/points").glob("*-s0.yaml")
    folder = Path("runs/ablations/tiny")
    assert train(str(file)).path.resolve() == (folder / result.rows[0].runs[0]).resolve()


def test_a_method_that_learns_nothing_is_ablated_too(tmp_path, monkeypatch, launched):
    monkeypatch.chdir(tmp_path)
    dirs = [write(tmp_path, experiment="colour_histogram", axes={"method.bins_per_channel": [2, 6]})]
    result = ablate("tiny", "tracking=local", *BENCHMARK, config_dirs=dirs)
    assert [row.runs for row in result.rows] == [[None], [None]]
    assert result.rows[0].metrics != result.rows[1].metrics


def test_a_wrong_baseline_is_named_in_a_dry_run(settings, tmp_path):
    dirs = [write(tmp_path, axes={"method.temperature": [0.07]})]
    with pytest.raises(ConfigError, match="no experiment and no folder 'siglp'"):
        ablate("tiny", *settings, "benchmark.baselines=[siglp]", dry_run=True, config_dirs=dirs)


def test_every_wrong_point_is_named_before_anything_runs(settings, tmp_path, launched):
    dirs = [write(tmp_path, axes={"method.temperature": [0.07, -1, "warm"]})]
    with pytest.raises(ConfigError, match=r"(?s)temperature=-1: .*above 0.*temperature=warm: .*float"):
        ablate("tiny", *settings, config_dirs=dirs)
    assert launched == []


def test_a_metric_that_is_not_measured_is_refused_with_those_that_are(settings, tmp_path, launched):
    dirs = [write(tmp_path, axes={"method.temperature": [0.07]}, metrics=["recall"])]
    with pytest.raises(ConfigError, match=r"measures no 'recall'; it measures .*random/recall_at_1"):
        ablate("tiny", *settings, config_dirs=dirs)


def test_a_search_runs_its_trials_and_goes_on(settings, tmp_path, launched):
    search = {
        "_target_": "stylekit.ablation.Search",
        "metric": "random/recall_at_1",
        "num_trials": 2,
        "space": {"method.temperature": {"_target_": "stylekit.ablation.Range", "low": 0.05, "high": 0.5}},
    }
    dirs = [write(tmp_path, search=search)]
    result = ablate("tiny", *settings, config_dirs=dirs)
    assert len(launched) == len(result.rows) == 2
    result = ablate("tiny", *settings, "ablation.search.num_trials=3", config_dirs=dirs)
    assert len(launched) == 3
    assert all(0.05 <= float(row.labels["method.temperature"]) <= 0.5 for row in result.rows)


def test_a_search_may_draw_the_present_value_of_several_keys(settings, tmp_path, launched):
    space = {"method.temperature": [0.07, 0.2], "method.itc_weight": [1.0, 0.0]}
    search = {
        "_target_": "stylekit.ablation.Search",
        "metric": "random/recall_at_1",
        "num_trials": 1,
        "space": space,
    }
    dirs = [write(tmp_path, search=search)]
    assert len(ablate("tiny", *settings, config_dirs=dirs).rows) == 1


def test_a_point_whose_result_cannot_be_read_is_measured_again(settings, tmp_path, launched):
    dirs = [write(tmp_path, axes={"method.temperature": [0.07]})]
    before = ablate("tiny", *settings, config_dirs=dirs)
    result = Path("runs/ablations/tiny") / before.rows[0].results[0]
    result.write_text(result.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    assert ablate("tiny", *settings, config_dirs=dirs).rows == before.rows
    assert len(launched) == 2


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"seed": [0, 1]}, r"axes set seed=0; the seeds of an ablation are ablation\.seeds"),
        (
            {"a": {"x": ["method.temperature=0.2"], "y": ["method.temperature=0.20"]}},
            "a=y: is the same as a=x",
        ),
    ],
)
def test_points_that_would_be_the_same_run_are_refused(settings, tmp_path, launched, axes, message):
    with pytest.raises(ConfigError, match=message):
        ablate("tiny", *settings, config_dirs=[write(tmp_path, axes=axes)])
    with pytest.raises(ConfigError, match=r"overrides set seed=7"):
        ablate("tiny", *settings, "seed=7", config_dirs=[write(tmp_path, axes={"method.temperature": [0.1]})])


def test_points_on_different_boards_are_not_compared(settings, tmp_path, launched):
    dirs = [write(tmp_path, axes={"benchmark.seed": [0, 1]})]
    result = ablate("tiny", *settings, config_dirs=dirs)
    assert [row.differences for row in result.rows] == [{}, {}]


def test_a_metric_that_only_some_points_have_is_shown_for_those(settings, tmp_path, launched):
    axes = {"groups": {"none": ["benchmark.num_groups=0"], "two": ["benchmark.num_groups=2"]}}
    dirs = [write(tmp_path, axes=axes, metrics=["palette_matched/recall_at_1"])]
    ablate("tiny", *settings, "benchmark.group_size=2", config_dirs=dirs)
    table = Path("runs/ablations/tiny/table.md").read_text()
    assert "| none | 1 | – | – |" in table


def test_an_ablation_cut_off_goes_on_and_keeps_a_table_of_what_it_had(
    settings, tmp_path, launched, monkeypatch
):
    dirs = [write(tmp_path, axes={"method.temperature": [0.07, 0.5]})]
    run = Local.start

    def interrupted(self, one):
        if len(launched) == 1:
            raise KeyboardInterrupt
        return run(self, one)

    monkeypatch.setattr(Local, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ablate("tiny", *settings, config_dirs=dirs)
    assert len(read_ablation(Path("runs/ablations/tiny/result.json")).rows) == 1
    monkeypatch.setattr(Local, "start", run)
    assert len(ablate("tiny", *settings, config_dirs=dirs).rows) == 2
    assert len(launched) == 2


def test_a_run_measured_again_with_other_settings_does_not_change_the_table(settings, tmp_path, launched):
    from stylekit.evaluation import evaluate

    dirs = [write(tmp_path, axes={"method.temperature": [0.07]})]
    before = ablate("tiny", *settings, config_dirs=dirs)
    evaluate(Path("runs/ablations/tiny") / before.rows[0].runs[0], overrides=["benchmark.seed=5"])
    assert ablate("tiny", *settings, config_dirs=dirs).rows == before.rows


def test_a_search_stops_a_trial_that_does_badly(settings, tmp_path, launched, monkeypatch):
    from stylekit.ablation.search import Trial

    class Endless(Job):
        ended = False

        def poll(self):
            return 130 if self.ended else None

        def stop(self):
            self.ended = True

        kill = stop

    monkeypatch.setattr(Local, "start", lambda self, one: launched.append(one) or Endless())
    monkeypatch.setattr(Trial, "should_stop", lambda self, steps: True)
    search = {
        "_target_": "stylekit.ablation.Search", "metric": "random/recall_at_1", "num_trials": 2,
        "prune_on": "val/recall_at_1", "space": {"method.temperature": [0.1, 0.2, 0.3]},
    }  # fmt: skip
    with pytest.raises(StylekitError, match="No task of tiny has a result"):
        ablate("tiny", *settings, config_dirs=[write(tmp_path, search=search, seeds=[0, 1])])
    assert 1 <= len(launched) <= 2  # the second seed of a pruned trial is not begun


def test_a_run_that_was_there_before_is_nested_too(settings, tmp_path, launched):
    from stylekit.training import train

    earlier = train("megastyle_encoder", *settings, "seed=0")
    file = tmp_path / "point.yaml"
    file.write_text(earlier.config_file.read_text())
    done = tmp_path / "point.done.json"
    assert task.main([str(file), "--done", str(done), "--parent", "abc"]) == 0
    assert json.loads(done.read_text())["run"] == str(earlier.path)
    assert earlier.read().parent_run_id == "abc"
    assert earlier.read().command.startswith("stylekit train megastyle_encoder ")
    assert task.main([str(file), "--done", str(done), "--parent", "another"]) == 0
    assert earlier.read().parent_run_id == "abc"  # it stays where it is


@pytest.mark.slow
def test_runs_are_nested_under_one_parent(settings, tmp_path):
    """With the real launcher: a process for each task, several at once, into one MLflow store."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    settings = [text for text in settings if text != "tracking=local"] + [f"tracking.uri={uri}"]
    dirs = [write(tmp_path, axes={"method.temperature": [0.07, 0.5]})]
    ablate("tiny", *settings, "launcher=processes", config_dirs=dirs)
    parent = json.loads(Path("runs/ablations/tiny/ablation.json").read_text())["mlflow_run_id"]
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'stylekit'")
    nested = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent}'")
    assert len(nested) == 2
    assert {run.info.status for run in nested} == {"FINISHED"}
    assert client.get_run(parent).info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(parent)} == {"result.json", "table.md", "table.csv"}
