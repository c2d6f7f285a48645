"""What README and cards show is what the committed results say."""

import json
from pathlib import Path

import pytest

from stylekit.result import read_result, render_tables
from tests.performance import bench_table, curation_table

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("methods/*/README.md"))]
RESULTS = sorted(ROOT.glob("methods/*/results/*.json"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_equal_their_results(page):
    assert render_tables(page) == page.read_text(), (
        f"Tables of {page.relative_to(ROOT)} differ from their results. "
        f"Renew them: python -m stylekit.result {page.relative_to(ROOT)}"
    )


def test_measurements_equal_their_results():
    found = json.loads(bench_table.RESULTS.read_text())
    assert bench_table.block(bench_table.README.read_text()) == bench_table.table(found), (
        "The README's measurements differ from their results. Renew them: make tables"
    )


def test_the_scale_of_curation_is_as_measured():
    found = json.loads(curation_table.RESULTS.read_text())
    assert curation_table.block(curation_table.CARD.read_text()) == curation_table.tables(found), (
        "The tables of stylekit/curation/README.md differ from their results. Renew them: make tables"
    )


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("methods/*/results/ablations/*.md")), ids=lambda path: path.stem
)
def test_ablations_in_cards_are_as_measured(path):
    assert path.read_text().strip() in (path.parents[2] / "README.md").read_text()


def test_the_order_of_generic_coarse_and_fine_labels_is_as_the_readme_says():
    ours = read_result(ROOT / "methods/megastyle_encoder/results/style_retrieval.json").baselines
    coarse = read_result(ROOT / "methods/coarse_contrast/results/style_retrieval.json").baselines
    for board in ("random", "palette_matched"):
        for better in (ours["siglip"], ours["coarse_contrast"], coarse["siglip"]):
            assert better.differences[f"{board}/recall_at_1"].low > 0.0


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_committed_results_are_whole_and_name_no_local_path(path):
    read_result(path)
    assert str(Path.home()) not in path.read_text()
