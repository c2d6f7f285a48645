"""The card of a data set: what was counted, kept and left out, from which sources, with pictures."""

from __future__ import annotations

import hashlib
import io
import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageDraw, ImageFont

from stylekit import __version__
from stylekit.curation.counting import count_rows, say_counts
from stylekit.curation.figures import effective_kinds
from stylekit.curation.pipeline_figure import StepCount, pipeline_figure
from stylekit.curation.shards import Shards, read_shard
from stylekit.curation.step import Inputs
from stylekit.pixels import Rejection
from stylekit.run import replacing, write_atomically

__all__ = ["evenness", "write_card"]

_THINNING = ("caption", "deduplicate", "balance")
_NOT_SHOWN = ("list", "encode", "embed")  # in the figure: they keep everything
_STYLES, _ACROSS, _SIDE, _GAP, _LINE, _LETTER = 8, 8, 128, 6, 14, 12


def write_card(inputs: Inputs, title: str, licence: str, data: Shards) -> None:
    """Write README.md, sheet.jpg and pipeline.svg beside the shards of the data set."""
    steps = [_counted(name, shards) for name, shards in [*inputs.steps.items(), ("write", data)]]
    shown = [step for step in steps if step.name not in _NOT_SHOWN]
    write_atomically(data.parts / "pipeline.svg", pipeline_figure(shown))
    with replacing(data.parts / "sheet.jpg") as temporary:
        _draw_sheet(data).save(temporary, "JPEG", quality=88)
    images = data.read(["style", "content", "consistency", "is_outlier"])
    styles, contents = (len(images[name].unique()) for name in ("style", "content"))
    sections = [
        f"---\nlicense: other\nlicense_name: {licence}\nconfigs:\n- config_name: default\n"
        '  data_files: "*.parquet"\n---',
        f"# {title}",
        f"{len(images):,} images of {styles:,} styles and {contents:,} contents, made by `stylekit curate` "
        f"(stylekit {__version__}) after MegaStyle (arXiv 2604.08364). Every image was drawn from a content "
        "prompt and a style prompt; all images of a style share the words of the latter.",
        "![Rows of images, each of one style](sheet.jpg)",
        "## How it was made\n\n![The steps](pipeline.svg)\n\n" + _step_table(steps, inputs, data),
        "## Sources\n\n" + _source_table(inputs),
        "## Evenness\n\n" + evenness(inputs),
        "## Consistency\n\n" + _consistency(inputs, images),
        "## Use\n\n```\nstylekit train megastyle_encoder data=parquet_folder data.source.path=FOLDER\n```\n\n"
        "Columns: `image`, `style` (the prompt), `content` (the prompt), `id`, `style_id`, `content_id`, "
        "`seed` (of the image), `consistency` and `is_outlier` (of the audit).\n\n"
        f"Digest of the shards: `{_digest(data)}`",
    ]
    write_atomically(data.parts / "README.md", "\n\n".join(sections) + "\n")


def _counted(name: str, shards: Shards) -> StepCount:
    return StepCount(name, count_rows(shards), len(shards.read_rejects()))


def _step_table(steps: Sequence[StepCount], inputs: Inputs, data: Shards) -> str:
    lines = ["| step | kept | left out | why |", "|---|---|---|---|"]
    for step in steps:
        rejects = inputs.steps.get(step.name, data).read_rejects()
        reasons = Counter(rejects["reason"].to_pylist()).most_common(4)
        why = "; ".join(f"{reason} ({number:,})" for reason, number in reasons)
        lines.append(f"| {step.name} | {say_counts(step.kept)} | {step.rejected:,} | {why} |")
    return "\n".join(lines)


def _source_table(inputs: Inputs) -> str:
    pool = inputs.steps["pool"].read(["source", "licence", "pool"])
    counts = Counter(zip(*(pool[name].to_pylist() for name in pool.column_names), strict=True))
    names = list(inputs.steps)
    used = inputs.steps[names[names.index("pair") - 1]].read(["id", "pool"])
    kept = Counter(
        (name.partition("/")[0], kind)
        for name, kind in zip(used["id"].to_pylist(), used["pool"].to_pylist(), strict=True)
    )
    lines = ["| source | licence | pool | pictures | prompts used |", "|---|---|---|---|---|"]
    for (source, licence, kind), number in sorted(counts.items()):
        lines.append(f"| {source} | {licence} | {kind} | {number:,} | {kept[source, kind]:,} |")
    return "\n".join(lines)


def evenness(inputs: Inputs) -> str:
    """Tell as a table how even the kinds of style prompts are after each step that takes some out."""
    names = [name for name in _THINNING if name in inputs.steps]
    kinds = [_kinds(inputs.steps[name]) for name in names]
    first = kinds[0] if kinds else {}
    # attributes of which most prompts have a value of their own have no kinds
    told = [name for name, counts in first.items() if 2 * len(counts) <= counts.total()]
    if not told:
        return "Not measured: no attribute of the captions has values that come again."
    lines = [
        "How many kinds each attribute of the style prompts has, and, by their entropy, how many of equal "
        "shares would be as even.\n",
        f"| attribute | kinds | {' | '.join(f'after {name}' for name in names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for name in told:
        even = (
            f"{effective_kinds(np.array(list(step[name].values()))):.1f}" if name in step else "0"
            for step in kinds
        )
        lines.append(f"| {name.replace('_', ' ')} | {len(first[name])} | {' | '.join(even)} |")
    return "\n".join(lines)


def _kinds(shards: Shards) -> dict[str, Counter[str]]:
    """Count the values of each attribute of the style prompts."""
    rows = shards.read(["pool", "attributes"])
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for attributes in rows.filter(pc.equal(rows["pool"].cast(pa.string()), "style"))[
        "attributes"
    ].to_pylist():
        for name, value in json.loads(attributes).items():
            if value is not None:
                found[name][value] += 1
    return dict(found)


def _consistency(inputs: Inputs, images: pa.Table) -> str:
    if "audit" not in inputs.steps:
        return "Not measured."
    audit = inputs.steps["audit"].read(["consistency", "elsewhere"])
    within, between = (np.nanmean(audit[name].to_numpy()) for name in ("consistency", "elsewhere"))
    outliers = pc.sum(images["is_outlier"]).as_py() or 0
    return (
        f"Cosine of the style vectors of two images, by the encoder of the audit: {within:.3f} on average "
        f"within a style, {between:.3f} between styles. {outliers:,} images resemble their style so little "
        "that they are marked in `is_outlier`."
    )


def _digest(data: Shards) -> str:
    digest = hashlib.sha256()
    for index in range(len(data)):
        with data.part(index).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _draw_sheet(data: Shards) -> Image.Image:
    rows = list(_shown(data))
    letters = int(_ACROSS * (_SIDE + _GAP) / (0.52 * _LETTER))
    captions = [textwrap.wrap(style, letters) for style, _ in rows]
    height = sum(_SIDE + 2 * _GAP + len(lines) * _LINE for lines in captions) + _GAP
    across = max((len(files) for _, files in rows), default=0)
    page = Image.new("RGB", (max(across, 4) * (_SIDE + _GAP) + _GAP, height), "white")
    draw, font, y = ImageDraw.Draw(page), ImageFont.load_default(_LETTER), _GAP
    for (_, files), lines in zip(rows, captions, strict=True):
        for place, file in enumerate(files):
            page.paste(_thumbnail(file), (_GAP + place * (_SIDE + _GAP), y))
        for number, line in enumerate(lines):
            draw.text((_GAP, y + _SIDE + 2 + number * _LINE), line, "black", font)
        y += _SIDE + 2 * _GAP + len(lines) * _LINE
    return page


def _shown(data: Shards) -> Iterator[tuple[str, list[bytes]]]:
    """Yield styles with some of their images, from shards spread over the data."""
    count = len(data)
    picked = sorted({place * count // _STYLES for place in range(_STYLES)})
    each = -(-_STYLES // len(picked))
    for index in picked:
        table = read_shard(data.part(index), ["style", "image"])
        if isinstance(table, Rejection) or not len(table):
            continue
        groups: dict[str, list[bytes]] = {}
        for row in table.to_pylist():
            groups.setdefault(row["style"], []).append(row["image"]["bytes"])
        styles = list(groups)
        for place in range(min(each, len(styles))):
            style = styles[place * len(styles) // each]
            yield style, groups[style][:_ACROSS]


def _thumbnail(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    scale = _SIDE / max(image.size)
    resample = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), resample)
