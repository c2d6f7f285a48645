"""Write the page."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from jinja2 import Environment, PackageLoader, StrictUndefined

from stylekit.config import build
from stylekit.reporting import exhibits, sections
from stylekit.reporting.charts import NUM_COLOURS
from stylekit.reporting.material import Material, gather
from stylekit.run import environment, now, write_atomically
from stylekit.tracking import Tracker

__all__ = ["report"]


def report(*targets: str | Path, out: Path | None = None, title: str | None = None) -> Path:
    """Lay results, curves and pictures of any runs, ablations or results on one HTML page.

    The page holds everything that it shows, and is added to the MLflow runs that it shows.

    Args:
        targets: Run folders, folders of runs, ablation folders, result files.
        out: The file; report.html by default.
        title: Of the page.
    """
    material = gather(targets)
    path = out or Path("report.html")
    write_atomically(path, _render(material, title or _title(material)))
    _track(material, path)
    print(f"Wrote {path}")
    return path


def _render(material: Material, title: str) -> str:
    colours = {shown.name: number % NUM_COLOURS for number, shown in enumerate(material.runs)}
    found: dict[str, Any] = {
        "results": sections.result_tables(material.results),
        "ablations": [sections.ablation_table(one) for one in material.ablations],
        "curves": sections.curves(material.runs, colours),
        "pictures": sections.pictures(material.runs),
        "strips": exhibits.strips(material.results),
        "sheets": exhibits.sheets(material.results),
        "explained": exhibits.explained(material.results),
        "maps": exhibits.maps(material.results),
        "config": sections.config_table(material.runs) if len(material.runs) > 1 else None,
    }
    headings = {
        "results": ("results", "Results"), "ablations": ("ablations", "Ablations"),
        "curves": ("curves", "Training"), "pictures": ("pictures", "Pictures"),
        "strips": ("retrieval", "Retrieval"), "sheets": ("rendered", "Rendered"),
        "explained": ("explained", "How images came about"), "maps": ("maps", "Maps"),
        "config": ("config", "Settings"),
    }  # fmt: skip
    shown = [heading for name, heading in headings.items() if found[name]]
    pages = Environment(
        loader=PackageLoader("stylekit.reporting", ""), autoescape=True, undefined=StrictUndefined
    )
    return pages.get_template("page.html.jinja").render(
        title=title,
        made=now(),
        version=environment()["stylekit"],
        sections=[*shown, ("again", "To do it again")],
        legend=list(colours.items()),
        commands=_commands(material),
        environment=_environment(material),
        **found,
    )


def _title(material: Material) -> str:
    names = [one.ablation for one in material.ablations]
    names += dict.fromkeys(shown.state.experiment for shown in material.runs) if not names else {}
    names += dict.fromkeys(one.result.experiment for one in material.results) if not names else {}
    return ", ".join(names)


def _commands(material: Material) -> list[str]:
    commands = [one.command for one in material.ablations]
    commands += [shown.state.command for shown in material.runs]
    commands += [one.result.command for one in material.results]
    return list(dict.fromkeys(commands))


def _environment(material: Material) -> sections.Table:
    rows = []
    for shown in material.runs:
        state = shown.state
        versions = ", ".join(f"{name} {version}" for name, version in state.environment.items())
        seconds, data = f"{state.seconds:.0f} s", state.data_digest or "–"
        rows.append([shown.name, state.status, seconds, state.started, state.config_digest, data, versions])
    for one in material.results:
        result = one.result
        memory = f"{result.peak_memory_bytes / 2**30:.1f} GB"
        versions = f"stylekit {result.stylekit}, git {result.git}, {result.device}, {memory}"
        digests, seconds = ", ".join(result.config_digests), f"{result.seconds:.0f} s"
        name = f"{one.name}: {result.benchmark}"
        rows.append([name, "measured", seconds, result.date, digests, "–", versions])
    titles = ["what", "state", "time", "when", "config", "data", "with"]
    return sections.Table("runs and measurements", titles, rows)


def _track(material: Material, path: Path) -> None:
    """Add the page to the MLflow runs that it shows, those of ablations included."""
    for shown in material.runs:
        if shown.state.status != "finished":
            continue  # another process may be tracking it
        config = yaml.safe_load(shown.run.config_file.read_text())
        parent = shown.state.parent_run_id
        _attach(path, config["tracking"], shown.run.path, shown.state.name, shown.state.mlflow_run_id, parent)
    for folder in material.ablation_folders:
        kept = json.loads((folder / "ablation.json").read_text())
        if "tracking" not in kept:  # of an earlier version of stylekit
            continue
        with contextlib.suppress(Timeout), FileLock(folder / ".lock", timeout=0):  # not while it is running
            _attach(path, kept["tracking"], folder, f"ablation {folder.name}", kept["mlflow_run_id"], None)


def _attach(
    path: Path, tracking: dict[str, Any], folder: Path, name: str, run_id: str | None, parent: str | None
) -> None:
    tracker: Tracker = build(tracking)
    tracker.open(folder, name, run_id, {}, parent, reopen=True)
    tracker.log_artifact(path, "report")
    tracker.close()
