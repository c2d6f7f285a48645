"""Build emoji_vendors.parquet: `python -m stylekit.benchmarks.build_emoji FOLDER`.

FOLDER holds the unpacked npm packages @iconify-json/noto (1.2.9), fluent-emoji-flat (1.2.6), twemoji (1.2.5)
and emojione (1.2.3), each in a folder of its name. Needs, at build time only, `rsvg-convert` (Debian:
librsvg2-bin).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from stylekit.benchmarks.emoji_vendors import ASSET

__all__ = ["build"]

VENDORS = ("noto", "fluent-emoji-flat", "twemoji", "emojione")
COUNT = 300
SIZE = 72
_MARGIN = 4
_RASTER = 288
# Text, flags and signs, which all vendors draw alike, and people, who are many and much alike.
_LEFT_OUT = re.compile(
    r"flag|button|oclock|thirty|arrow|keycap|hand|finger|index|input|face|man|woman|person|people|family|"
    r"couple|kiss|prohibited|no-|square|circle|sign|mark|zodiac|recycling|currency|symbol|bars|"
    r"aries|taurus|gemini|cancer|^leo$|virgo|libra|scorpius|sagittarius|capricorn|aquarius|pisces|ophiuchus|"
    r"vibration|mobile-phone-off|baby|girl|boy|fist|foot|leg|ear$|nose|thumb|palm|biting|selfie|"
    r"heart|moon|clock|diamond|plus|minus|multiply|divide|loop|dash|radio-button|trident|atm|shuffle|repeat|"
    r"fast|reverse|play|pause|stop-|record|eject|brightness|cyclone|dizzy|sweat|anger|zzz|speech|thought|"
    r"part-alternation|wavy|hundred|trade|information|water-closet|potable|litter|passport|customs|baggage"
)


def build(folder: Path, asset: Path = ASSET) -> None:
    """Draw the emoji that all vendors have, cut to what is painted, all as large as one another."""
    sets = {
        vendor: json.loads((folder / vendor / "package" / "icons.json").read_text()) for vendor in VENDORS
    }
    names = set.intersection(*({*one["icons"], *one.get("aliases", {})} for one in sets.values()))
    usable = sorted(name for name in names if not _LEFT_OUT.search(name))
    chosen = sorted(sorted(usable, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:COUNT])
    rows: dict[str, list[Any]] = {"image": [], "style": [], "content": []}
    for name in chosen:
        for vendor, icons in sets.items():
            rows["image"].append(_draw(icons, name))
            rows["style"].append(vendor)
            rows["content"].append(name.replace("-", " "))
    pq.write_table(pa.table(rows), asset, compression="zstd", compression_level=19)
    print(f"{asset}: {len(chosen)} of {len(usable)} emoji, {asset.stat().st_size / 1e6:.2f} MB")


def _draw(icons: dict[str, Any], name: str) -> bytes:
    while name in icons.get("aliases", {}):
        name = icons["aliases"][name]["parent"]
    icon = icons["icons"][name]
    box = [icon.get("left", 0), icon.get("top", 0)]
    box += [icon.get(side, icons.get(side, 16)) for side in ("width", "height")]
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{" ".join(map(str, box))}" width="{_RASTER}" height="{_RASTER}">{icon["body"]}</svg>'
    )
    ran = subprocess.run(["rsvg-convert"], input=drawing.encode(), capture_output=True, check=True)
    image = Image.open(io.BytesIO(ran.stdout)).convert("RGBA")
    image = image.crop(image.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox())
    inside = SIZE - 2 * _MARGIN
    image.thumbnail((inside, inside), Image.Resampling.LANCZOS)
    paper = Image.new("RGBA", (SIZE, SIZE), "white")
    paper.alpha_composite(image, ((SIZE - image.width) // 2, (SIZE - image.height) // 2))
    file = io.BytesIO()
    paper.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    build(Path(sys.argv[1]))
