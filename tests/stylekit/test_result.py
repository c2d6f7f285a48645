import json

import pytest

from stylekit.errors import DataError
from stylekit.result import (
    Baseline,
    Estimate,
    Metric,
    Result,
    _main,
    metric_title,
    read_result,
    render_tables,
    table,
    write_result,
)


def metric(mean, better="higher"):
    return Metric(mean=mean, low=mean - 0.05, high=mean + 0.05, per_seed=[mean], better=better)


def make_result(experiment="ours", benchmark="style_retrieval", **changes):
    values = {
        "benchmark": benchmark,
        "experiment": experiment,
        "method": experiment,
        "foundation": "mini",
        "data": "atelier",
        "config_digests": ["0123abcd"],
        "command": f"stylekit evaluate {experiment}",
        "weights": ["0123456789abcdef"],
        "stylekit": "0.1.0",
        "git": "none",
        "seeds": [0],
        "runs": ["run"],
        "metrics": {"random/recall_at_1": metric(0.9), "random/leakage": metric(0.1, "lower")},
        "baselines": {
            "histogram": Baseline(
                method="histogram",
                weights=["fedcba9876543210"],
                foundation="",
                metrics={"random/recall_at_1": metric(0.5), "random/leakage": metric(0.4, "lower")},
                differences={"random/recall_at_1": Estimate(mean=0.4, low=0.3, high=0.5)},
            )
        },
        "boards": {"random": {"images": 1920}},
        "seconds": 1.5,
        "peak_memory_bytes": 10**9,
        "device": "cpu",
        "date": "2026-01-01T00:00:00+00:00",
    }
    return Result(**(values | changes))


def test_result_reads_back_as_written(tmp_path):
    write_result(make_result(), tmp_path / "eval" / "one.json")
    assert read_result(tmp_path / "eval" / "one.json") == make_result()
    assert [path.name for path in (tmp_path / "eval").iterdir()] == ["one.json"]


def test_every_mistake_in_a_result_is_named(tmp_path):
    path = tmp_path / "one.json"
    write_result(make_result(), path)
    values = json.loads(path.read_text())
    del values["seeds"]
    values["surprise"] = 1
    values["metrics"]["random/leakage"]["low"] = "little"
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as raised:
        read_result(path)
    for name in ("seeds", "surprise", "metrics.random/leakage.low"):
        assert name in str(raised.value)


def test_missing_result_is_named(tmp_path):
    with pytest.raises(DataError, match="stylekit evaluate"):
        read_result(tmp_path / "none.json")


def test_table_shows_baselines_first_and_differences_last():
    lines = table([make_result()]).splitlines()
    assert lines[0] == "| metric | histogram | ours (mini) | over histogram |"
    assert (
        lines[2] == "| random/recall_at_1 ↑ | 50.0 [45.0, 55.0] | 90.0 [85.0, 95.0] | +40.0 [+30.0, +50.0] |"
    )
    assert lines[3] == "| random/leakage ↓ | 40.0 [35.0, 45.0] | 10.0 [5.0, 15.0] | – |"
    assert "random 1,920 images" in lines[-1]
    assert "`stylekit evaluate ours`" in lines[-1]


def test_table_of_several_results_shows_each_once():
    lines = table([make_result("ours"), make_result("theirs")]).splitlines()
    assert lines[0] == "| metric | histogram | ours (mini) | theirs (mini) |"


def test_table_of_two_benchmarks_is_refused():
    with pytest.raises(DataError, match="style_bench, style_retrieval"):
        table([make_result(), make_result(benchmark="style_bench")])


def test_tables_are_renewed_in_place(tmp_path, capsys):
    write_result(make_result(), tmp_path / "results" / "one.json")
    page = tmp_path / "README.md"
    page.write_text("# Title\n\n<!-- results: results/one.json -->\nold\n<!-- end -->\n\nText.\n")
    assert _main([str(page)]) == 0
    text = page.read_text()
    assert table([make_result()]) in text
    assert "old" not in text
    assert text.startswith("# Title\n")
    assert text.endswith("<!-- end -->\n\nText.\n")
    assert render_tables(page) == text


def test_page_that_names_no_result_fails_by_name(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("<!-- results: none.json -->\n<!-- end -->\n")
    assert _main([str(page)]) == DataError.exit_code
    assert "none.json" in capsys.readouterr().err


def test_chosen_metrics_stand_in_columns_and_methods_in_rows(tmp_path):
    write_result(make_result(), tmp_path / "one.json")
    page = tmp_path / "README.md"
    page.write_text("<!-- results: one.json | random/leakage -->\n<!-- end -->\n")
    lines = [line for line in render_tables(page).splitlines() if line.startswith("|")]
    assert lines == [
        "| method | random/leakage ↓ |",
        "| --- | --- |",
        "| histogram | 40.0 [35.0, 45.0] |",
        "| ours (mini) | 10.0 [5.0, 15.0] |",
    ]
    page.write_text("<!-- results: one.json | random/recall -->\n<!-- end -->\n")
    with pytest.raises(DataError, match="random/recall is not measured"):
        render_tables(page)


def test_an_arrow_points_to_the_better_side_where_there_is_one():
    titles = [metric_title("n", metric(0.5, better)) for better in ("higher", "lower", "neither")]
    assert titles == ["n ↑", "n ↓", "n"]
    assert metric_title("n", metric(0.5, "neither").model_copy(update={"unit": "regions"})) == "n (regions)"
