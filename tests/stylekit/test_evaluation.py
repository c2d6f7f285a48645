import importlib.util
import json
from pathlib import Path

import pytest
import torch

from stylekit.benchmarks import BenchmarkResult, Scores, StyleRetrieval
from stylekit.candidate import find_candidates
from stylekit.checkpoint import save_learned
from stylekit.config import build, compose
from stylekit.errors import ConfigError, MissingError
from stylekit.evaluation import evaluate
from stylekit.preview import check
from stylekit.result import read_result, table
from stylekit.run import Run, RunState
from stylekit.training import train

SMALL = [
    "benchmark.num_styles=3",
    "benchmark.num_contents=4",
    "benchmark.num_groups=2",
    "benchmark.group_size=3",
    "benchmark.num_group_contents=4",
    "benchmark.baselines=[]",
]
LOCAL = [*SMALL, "tracking=local"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Run in an empty folder, on quickly drawn stand-ins: each style a colour, each content a place."""

    def draw(scenes, styles, seeds, size):
        images = torch.zeros(len(scenes), 3, size, size)
        for row, (scene, style, seed) in enumerate(zip(scenes, styles, seeds, strict=True)):
            noise = torch.Generator().manual_seed(seed)
            colour = torch.rand(3, 1, 1, generator=torch.Generator().manual_seed(len(style.prompt())))
            images[row] = (colour + 0.2 * torch.randn(3, size, size, generator=noise)).clamp(0, 1)
            images[row, :, len(scene.prompt()) % size] = 0
        return images

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stylekit.benchmarks.board.draw", draw)


def make_run(seed, *overrides, status="finished"):
    config = compose("colour_histogram", [*LOCAL, f"seed={seed}", *overrides])
    run = Run(Path("runs/colour_histogram") / f"run-s{seed}-{len(overrides)}")
    save_learned(build(config.values["method"]), {}, run.final_checkpoint, [])
    run.config_file.write_text(config.to_yaml())
    run.write(
        RunState(
            run.path.name, "colour_histogram", "colour_histogram", status, seed, config_digest=f"digest{seed}"
        )
    )
    return run.path


def test_training_free_method_is_measured_and_the_result_written():
    result = evaluate("colour_histogram", overrides=LOCAL)
    (path,) = Path("runs/colour_histogram").glob("*/eval/style_retrieval.json")
    assert read_result(path) == result
    assert (result.method, result.foundation, result.seeds, result.runs) == ("colour_histogram", "", [0], [])
    assert result.boards["random"]["images"] == 12
    assert set(result.metrics) == {
        f"{board}/{metric}"
        for board in ("random", "palette_matched")
        for metric in ("recall_at_1", "recall_at_10", "csd_map_at_10", "map_full", "leakage")
    }
    metric = result.metrics["random/recall_at_1"]
    assert metric.low <= metric.mean <= metric.high
    assert metric.per_seed == [metric.mean]
    assert result.command == "stylekit evaluate colour_histogram " + " ".join(
        f"'{text}'" if "[" in text else text for text in LOCAL
    )


def test_result_goes_where_it_is_wanted(tmp_path):
    result = evaluate("colour_histogram", overrides=LOCAL, out=tmp_path / "mine.json")
    assert read_result(tmp_path / "mine.json") == result


def test_runs_of_several_seeds_are_combined():
    runs = [make_run(seed) for seed in (0, 1, 2)]
    result = evaluate(*runs)
    assert result.seeds == [0, 1, 2]
    assert result.config_digests == ["digest0", "digest1", "digest2"]
    assert result.runs == [run.name for run in runs]
    assert len(result.metrics["random/map_full"].per_seed) == 3
    assert read_result(Path("runs/colour_histogram/eval/style_retrieval.json")) == result


def test_runs_are_found_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    runs = [make_run(seed) for seed in (0, 1)]
    candidates = find_candidates([runs[0], f"~/{runs[1]}"], (), ())
    assert [candidate.run.path for candidate in candidates] == [run.resolve() for run in runs]


def test_metrics_are_logged_to_each_run():
    runs = [make_run(seed) for seed in (0, 1)]
    result = evaluate(*runs)
    for index, run in enumerate(runs):
        (line,) = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
        logged = line["metrics"]["eval/style_retrieval/random/recall_at_1"]
        assert logged == pytest.approx(result.metrics["random/recall_at_1"].per_seed[index])


def test_one_run_keeps_its_result_in_its_folder():
    run = make_run(3)
    result = evaluate(run, overrides=["benchmark.num_styles=2"])
    assert read_result(run / "eval" / "style_retrieval.json") == result
    assert result.boards["random"]["styles"] == 2


def test_baseline_is_paired_style_by_style():
    overrides = [*LOCAL, "benchmark.baselines=[colour_histogram]"]
    result = evaluate("colour_histogram", overrides=[*overrides, "method.bins_per_channel=1"])
    baseline = result.baselines["colour_histogram"]
    for name, difference in baseline.differences.items():
        ours, theirs = result.metrics[name].mean, baseline.metrics[name].mean
        assert difference.mean == pytest.approx(ours - theirs, abs=2e-6)
        assert difference.low - 1e-12 <= difference.mean <= difference.high + 1e-12


def test_method_is_no_baseline_of_itself():
    assert (
        evaluate("colour_histogram", overrides=[*LOCAL, "benchmark.baselines=[colour_histogram]"]).baselines
        == {}
    )


def test_what_a_method_was_made_of_is_in_the_result(tmp_path):
    frozen = {"_target_": "stylekit.foundation.siglip.Siglip", "name_or_path": "mini_siglip"}
    overrides = [*LOCAL, "benchmark.baselines=[siglip]", "method.bins_per_channel=2"]
    evaluate("colour_histogram", overrides=overrides, out=tmp_path / "one.json")
    result = read_result(tmp_path / "one.json")
    assert result.settings["bins_per_channel"] == 2
    assert result.baselines["siglip"].settings["foundation"].items() >= frozen.items()


def test_a_result_names_no_folder_of_the_machine(tiny_siglip, tmp_path):
    foundation = f"foundation.name_or_path={tiny_siglip}"
    overrides = [*LOCAL, foundation, "benchmark.baselines=[untrained_tower]"]
    result = evaluate("siglip", overrides=overrides, out=tmp_path / "one.json")
    for one in (result, result.baselines["untrained_tower"]):
        assert one.settings["foundation"]["name_or_path"] == tiny_siglip.name
        assert f"name_or_path={tiny_siglip.name}" in one.foundation
    assert str(tiny_siglip) not in (tmp_path / "one.json").read_text().replace(foundation, "")


def test_baseline_is_measured_once(monkeypatch):
    measured = []
    run = StyleRetrieval.run

    def counted(self, method):
        measured.append(method.bins_per_channel)
        return run(self, method)

    monkeypatch.setattr(StyleRetrieval, "run", counted)
    overrides = [*LOCAL, "benchmark.baselines=[colour_histogram]"]
    first = evaluate("colour_histogram", overrides=[*overrides, "method.bins_per_channel=2"])
    second = evaluate("colour_histogram", overrides=[*overrides, "method.bins_per_channel=3"])
    assert measured == [2, 6, 3]
    assert first.baselines["colour_histogram"].metrics == second.baselines["colour_histogram"].metrics
    evaluate("colour_histogram", overrides=[*overrides, "method.bins_per_channel=2", "benchmark.seed=1"])
    assert measured == [2, 6, 3, 2, 6]


@pytest.mark.parametrize(
    ("targets", "overrides", "message"),
    [
        ([], [], "Name what to evaluate"),
        (["colour_histogram", "siglip"], [], "one experiment at a time"),
        (["megastyle_encoder"], [], "stylekit train megastyle_encoder"),
        (["colour_histogrm"], [], "Did you mean 'colour_histogram'"),
        (["colour_histogram"], ["benchmark=style_retrieva"], "Did you mean 'style_retrieval'"),
    ],
)
def test_wrong_target_is_explained(targets, overrides, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(*targets, overrides=overrides)


def test_runs_that_cannot_be_combined_are_explained():
    run = make_run(0)
    with pytest.raises(ConfigError, match="Not a run"):
        evaluate(run, "siglip")
    with pytest.raises(ConfigError, match="used as it was trained"):
        evaluate(run, overrides=["method.bins_per_channel=3"])
    with pytest.raises(ConfigError, match="must differ in seed"):
        evaluate(run, run)
    with pytest.raises(ConfigError, match=r"differs from the first in method\.bins_per_channel"):
        evaluate(run, make_run(1, "method.bins_per_channel=3"))
    with pytest.raises(MissingError, match="has not finished"):
        evaluate(make_run(2, status="killed"))


def test_method_that_does_not_fit_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    package = tmp_path / "plugin" / "methods" / "dull_method"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from stylekit.method import StyleMethod\n\n\nclass DullMethod(StyleMethod):\n    pass\n"
    )
    configs = tmp_path / "configs"
    for group, text in (
        ("method", "_target_: methods.dull_method.DullMethod\n"),
        ("experiment", "method: dull_method\nbenchmark: style_retrieval\n"),
    ):
        (configs / group).mkdir(parents=True)
        (configs / group / "dull_method.yaml").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "plugin")
    monkeypatch.setattr("stylekit.benchmarks.board.draw", None)
    with pytest.raises(ConfigError) as raised:
        evaluate("dull_method", config_dirs=[configs])
    assert "style_retrieval measures a StyleEncoder, and dull_method is none (DullMethod)." in str(
        raised.value
    )
    assert "Benchmarks that fit it: none." in str(raised.value)


def test_baselines_of_the_same_seeds_are_paired_by_seed(monkeypatch):
    """Each score is its seed."""
    from stylekit import evaluation

    seen = []
    monkeypatch.setattr(evaluation, "difference", lambda ours, theirs, *_: seen.append((ours, theirs)))
    score = {seed: BenchmarkResult({"board/metric": Scores([float(seed)], [0])}, {}) for seed in (0, 1, 2)}
    for ours, theirs, expected in (
        ([2, 0, 1], [0, 1, 2], [[2.0], [0.0], [1.0]]),
        ([0, 1], [2, 1], [[1.5]]),
        ([0, 1], [0, 1, 2], [[1.0]]),
    ):
        measured, others = (
            [evaluation._Measured(score[seed], "", seed) for seed in seeds] for seeds in (ours, theirs)
        )
        evaluation._differences(measured, others)
        assert seen.pop() == ([[float(s)] for s in ours], expected)


def test_finished_runs_are_a_baseline_over_their_seeds():
    measured = make_run(0, "method.bins_per_channel=2")
    run = make_run(0, "method.bins_per_channel=3", "method.bins_per_channel=3")
    for seed in (0, 1):
        make_run(seed).rename(f"runs/others-s{seed}")
    Path("runs/folder").mkdir()
    for seed in (0, 1):
        Path(f"runs/others-s{seed}").rename(f"runs/folder/s{seed}")
    Path("runs/folder/latest").symlink_to("s1")
    result = evaluate(measured, overrides=[f"benchmark.baselines=[runs/folder,{run}]"])
    both, one = result.baselines.values()
    assert list(result.baselines) == ["colour_histogram", str(run)]
    assert (both.seeds, both.runs) == ([0, 1], ["s0", "s1"])
    assert (one.seeds, one.runs) == ([0], [run.name])
    for name, metric in both.metrics.items():
        assert len(metric.per_seed) == 2
        expected = result.metrics[name].mean - metric.mean
        assert both.differences[name].mean == pytest.approx(expected, abs=2e-6)
    assert len(both.weights) == 2
    assert len(result.weights) == 1


def test_a_folder_of_baselines_may_lie_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    make_run(0, "method.bins_per_channel=2").rename("runs/other")
    setting = "benchmark.baselines=[~/runs/other]"
    check("megastyle_encoder", setting)
    result = evaluate(make_run(0), overrides=[setting])
    assert [baseline.runs for baseline in result.baselines.values()] == [["other"]]
    with pytest.raises(ConfigError, match=r"benchmark\.baselines: ~nobody-of-this-name/runs"):
        check("megastyle_encoder", "benchmark.baselines=[~nobody-of-this-name/runs]")


def test_a_file_of_baselines_may_lie_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    shown = compose("colour_histogram", ["method.bins_per_channel=2"]).to_yaml()
    Path("coarse.yaml").write_text(shown)
    setting = "benchmark.baselines=[~/coarse.yaml]"
    check("megastyle_encoder", setting)
    assert list(evaluate(make_run(0), overrides=[setting]).baselines) == ["~/coarse.yaml"]


def test_baseline_folder_without_finished_runs_is_explained():
    make_run(1, status="killed").rename("runs/killed")
    Path("runs/all").mkdir()
    Path("runs/killed").rename("runs/all/killed")
    with pytest.raises(MissingError, match="runs/all is a folder without a finished run"):
        evaluate(make_run(0), overrides=["benchmark.baselines=[runs/all]"])


def test_seeds_stand_in_order():
    assert evaluate(make_run(2), make_run(0)).seeds == [0, 2]


def test_two_methods_of_one_name_are_both_printed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    other = make_run(0, "method.bins_per_channel=2")
    evaluate(make_run(0), overrides=[f"benchmark.baselines=[{other}]"])
    assert "colour_histogram (2)" in " ".join(capsys.readouterr().out.split())


def test_baselines_that_must_be_trained_are_refused_early():
    with pytest.raises(ConfigError, match="megastyle_encoder learns in stages; name the folder of its runs"):
        check("megastyle_encoder", "benchmark.baselines=[megastyle_encoder]")
    Path("notes.md").touch()
    for wrong in ("''", "notes.md"):
        with pytest.raises(ConfigError, match="no experiment and no folder"):
            check("megastyle_encoder", f"benchmark.baselines=[{wrong}]")


def test_a_wrong_baseline_is_found_before_training():
    Path("runs/unfinished").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"unfinished holds no finished run\. Train one first"):
        train("megastyle_encoder", "benchmark.baselines=[runs/unfinished]", dry_run=True)
    with pytest.raises(ConfigError, match=r"no experiment and no folder 'siglp'. Did you mean 'siglip'"):
        check("megastyle_encoder", "benchmark.baselines=[siglp]")
    with pytest.raises(ConfigError, match="no experiment and no folder 'siglp'"):
        train("megastyle_encoder", "benchmark.baselines=[siglp]")


def test_mistakes_of_a_baseline_name_it():
    make_run(0)
    make_run(0, "method.bins_per_channel=3")
    with pytest.raises(ConfigError, match=r"benchmark\.baselines: runs/colour_histogram: .*bins_per_channel"):
        evaluate(make_run(1), overrides=["benchmark.baselines=[runs/colour_histogram]"])


def test_renderer_that_needs_something_else_is_refused():
    with pytest.raises(ConfigError) as raised:
        evaluate("atelier_painter", overrides=["benchmark=reconstruction", "tracking=local"])
    assert (
        "reconstruction measures a StyleRenderer that needs content, and atelier_painter is none "
        "(AtelierPainter). Benchmarks that fit it: prompt_following, style_bench."
    ) in str(raised.value)


def test_what_scores_images_is_loaded_only_when_it_is_used(monkeypatch):
    absent = "benchmark.judge.name_or_path=/absent/judge"
    assert check("atelier_painter", absent).name == "atelier_painter"
    with pytest.raises(MissingError, match="/absent/judge"):
        evaluate("atelier_painter", overrides=[absent, "tracking=local"])


def test_renderer_is_measured_in_the_units_of_its_metrics():
    small = ["benchmark.num_prompts=4", "benchmark.num_references=8", "benchmark.judge.random_weights=true"]
    network = [] if importlib.util.find_spec("efficientnet_lite_pytorch") else ["distance_network=null"]
    overrides = [*small, *(f"benchmark.{text}" for text in network), "tracking=local"]
    result = evaluate("atelier_painter", overrides=overrides)
    assert result.unit == "prompts"
    assert result.metrics["styled/medium"].unit == "percent"
    assert result.metrics["styled/seconds"].unit == "seconds"
    assert set(result.boards) == {"content", "styled"}
    lines = table([result]).splitlines()
    assert any(line.startswith("| styled/seconds (s) ↓ |") for line in lines)
    assert "percent where no unit is named" in lines[-1]
    if not network:
        assert result.metrics["content/fid_efficientnet_lite0"].mean > 1.0


TRANSFER = [
    "benchmark=style_bench", "benchmark.num_styles=2", "benchmark.contents_per_style=2", "tracking=local",
    "benchmark.num_drawings=4", "benchmark.judge.random_weights=true",
]  # fmt: skip


class Moments(torch.nn.Module):
    def pooled(self, images):
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


def test_metric_that_the_baseline_lacks_has_no_difference(monkeypatch):
    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", Moments)
    found = evaluate("atelier_painter", overrides=[*TRANSFER, "benchmark.baselines=[autoencoder]"])
    other = found.baselines["autoencoder"]
    ours, theirs = (f"rendered/art_fid_{kind}_efficientnet_lite0" for kind in ("text", "content"))
    assert ours in found.metrics
    assert theirs in other.metrics
    assert other.differences.keys() == found.metrics.keys() & other.metrics.keys()
    assert "rendered/style_truth" in other.differences
    assert "| – |" in next(line for line in table([found]).splitlines() if line.startswith(f"| {ours} "))


def test_baseline_is_measured_anew_on_another_device(monkeypatch):
    overrides = [*TRANSFER, "benchmark.distance_network=null", "benchmark.baselines=[atelier_painter]"]
    overrides.append("method.image_size=128")  # else it is no baseline of itself
    kept = Path("runs/.baselines")
    for device, count in (("cpu, 1 threads", 1), ("cpu, 1 threads", 1), ("another", 2)):
        monkeypatch.setattr("stylekit.evaluation._describe", lambda _, device=device: device)
        evaluate("atelier_painter", overrides=overrides)
        assert len(list(kept.glob("style_bench-*.json"))) == count
