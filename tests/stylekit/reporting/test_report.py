"""What is on the page, read from the file and seen by a browser."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from stylekit.benchmarks.exhibits import explanations
from stylekit.details import write_details
from stylekit.errors import DataError
from stylekit.method import Explanation
from stylekit.reporting import report
from stylekit.reporting.material import gather
from stylekit.reporting.sections import config_table, result_tables
from stylekit.result import in_unit, read_result

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory) -> Path:
    return report(*runs, out=tmp_path_factory.mktemp("page") / "report.html", title="Two <temperatures>")


def test_tables_hold_the_numbers_of_the_results(runs):
    material = gather(runs)
    (table,) = result_tables(material.results)
    assert table.titles == ["metric", "colour_histogram", "megastyle_encoder s0", "megastyle_encoder s1"]
    second = read_result(runs[1] / "eval" / "style_retrieval.json")
    by_metric = {row[0][:-2]: row[1:] for row in table.rows}
    for name, metric in second.metrics.items():
        assert by_metric[name][2] == in_unit(metric)
        assert by_metric[name][0] == in_unit(second.baselines["colour_histogram"].metrics[name])


def test_settings_that_differ_are_listed_and_no_others(runs):
    table = config_table(gather(runs).runs)
    assert {row[0]: row[1:] for row in table.rows} == {
        "seed": ["0", "1"],
        "method.temperature": ["0.07", "0.2"],
    }


def test_one_result_shows_its_differences(runs):
    (table,) = result_tables(gather([runs[0] / "eval" / "style_retrieval.json"]).results)
    assert table.titles[-1] == "over colour_histogram"


def test_a_folder_of_runs_is_its_runs_without_the_link_to_the_latest(runs):
    assert [shown.run.path.name for shown in gather([runs[0].parent]).runs] == sorted(
        run.name for run in runs
    )


def test_what_is_no_material_is_refused(tmp_path):
    with pytest.raises(DataError, match="no run, ablation or result"):
        gather([tmp_path / "absent"])
    with pytest.raises(DataError, match="holds no runs"):
        gather([tmp_path])
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="is not a result"):
        gather([tmp_path / "other.json"])


def test_a_result_of_a_run_that_cannot_be_read_is_left_out_with_a_word(runs, tmp_path, caplog):
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    (run / "eval" / "old.json").write_text('{"schema_version": 1}')
    material = gather([run])
    assert len(material.results) == 1
    assert "old.json is not a result" in caplog.text


def test_the_page_is_one_file_that_refers_to_nothing(page):
    text = page.read_text()
    assert "Two &lt;temperatures&gt;" in text
    for word in ("http://", "https://", "<script", "@import", "url("):
        assert word not in text


def test_the_page_is_added_to_the_mlflow_runs_that_it_shows(runs, tmp_path, monkeypatch):
    from stylekit.tracking import LocalTracker

    kept = []
    monkeypatch.setattr(
        LocalTracker, "_publish", lambda self, entry: kept.append((self.save_dir, entry["kind"]))
    )
    report(*runs, out=tmp_path / "report.html")
    assert kept == [(str(run), "artifact") for run in runs]


@pytest.fixture(scope="module")
def explained(runs, tmp_path_factory) -> Path:
    """The page of a result whose exhibits hold explanations of two images."""
    folder = tmp_path_factory.mktemp("explained")
    result = Path(shutil.copy(runs[0] / "eval" / "style_retrieval.json", folder / "result.json"))
    told = Explanation(
        {"regions of the content": torch.rand(3, 16, 16), "regions of reference 1": torch.rand(3, 16, 16)},
        {
            "matching": [{"region": 1, "reference": 2, "score": 0.98765}, {"region": 2}],
            "depth": "none <given>",
        },
        {"energy": [3.0, 2.0, 1.5], "style": [2.0, 1.0, 0.5]},
    )
    plain = Explanation({}, {}, {"energy": [1.0, 0.5]})
    write_details(
        result.with_suffix(".npz"), {}, {}, explanations("rendered", {"A cat.": told, "A dog.": plain})
    )
    return report(result, out=folder / "report.html")


def test_explanations_are_shown_with_their_curves_and_facts(explained):
    text = explained.read_text()
    assert "How images came about" in text
    assert "rendered, A cat." in text
    assert "rendered, A dog." in text
    assert text.count("how megastyle_encoder") == 1  # the second has no pictures
    for word in ("<td>0.9877</td>", "<td>–</td>", "none &lt;given&gt;", "what was minimised"):
        assert word in text


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 390])
def test_explanations_in_a_browser(explained, width):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": width, "height": 800})
        view.goto(explained.as_uri())
        assert view.locator("#explained polyline").count() == 3
        assert view.locator("#explained img").count() == 1
        assert view.locator("#explained img").evaluate("image => image.naturalWidth") == 2 * 256 + 18
        assert not view.get_by_text("0.9877").is_visible()
        view.locator("#explained summary").click()
        assert view.get_by_text("0.9877").is_visible()
        assert view.evaluate("document.documentElement.scrollWidth") == width
        browser.close()


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_in_a_browser(page, width, scheme):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said, asked = [], []
        view.on("console", lambda message: said.append(message.text))
        view.on("pageerror", lambda error: said.append(str(error)))
        view.on("request", lambda request: asked.append(request.url))
        view.goto(page.as_uri())

        headings = view.locator("h2").all_inner_texts()
        assert headings == [
            "Results", "Training", "Pictures", "Retrieval", "Maps", "Settings", "To do it again",
        ]  # fmt: skip
        assert view.locator("#results tbody tr").count() == 10
        assert view.locator("#curves polyline").count() > 20
        assert view.locator("#retrieval .tile.query").count() == 2 * (4 + 6)
        assert view.locator("#again pre").inner_text().strip()
        broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
        assert view.evaluate(broken) == 0
        # Nothing sticks out at the side: wide tables scroll in their own frame.
        assert view.evaluate("document.documentElement.scrollWidth") == width
        background = view.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_an_ablation_is_shown_with_its_runs(runs, tmp_path, monkeypatch):
    from stylekit.tracking import LocalTracker

    kept = []
    monkeypatch.setattr(LocalTracker, "_publish", lambda self, entry: kept.append(self.save_dir))
    from stylekit.ablation.done import Done
    from stylekit.ablation.points import Point
    from stylekit.ablation.summary import AblationResult, summarise

    folder = tmp_path / "warmth"
    folder.mkdir()
    points = [
        (
            Point((("method.temperature", label),), (f"method.temperature={label}",)),
            {0: Done(config_digest="", run=str(run), result=str(run / "eval" / "style_retrieval.json"))},
        )
        for label, run in zip(("0.07", "0.2"), runs, strict=True)
    ]
    rows = summarise(points, points[0][0], folder)
    found = AblationResult(
        ablation="warmth", experiment="megastyle_encoder", benchmark="style_retrieval",
        metrics=["random/recall_at_1"], rows=rows, failed={}, command="stylekit ablate warmth",
        stylekit="0", git="none", date="today",
    )  # fmt: skip
    tracking = {"_target_": "stylekit.tracking.LocalTracker"}
    (folder / "ablation.json").write_text(json.dumps({"mlflow_run_id": None, "tracking": tracking}))
    (folder / "result.json").write_text(found.model_dump_json())
    material = gather([folder])
    assert [shown.name for shown in material.runs] == ["0.07", "0.2"]
    text = report(folder, out=tmp_path / "report.html").read_text()
    assert "warmth: style_retrieval" in text
    assert "stylekit ablate warmth" in text
    assert "stylekit train megastyle_encoder" in text
    assert kept == [*map(str, runs), str(folder)]
