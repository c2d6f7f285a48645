"""stylekit list."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys

from stylekit.listing import BROKEN, LISTED_GROUPS, Entry, list_configs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    names = ", ".join(LISTED_GROUPS)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"what to list (default: all): {names}")
    parser.add_argument("--json", action="store_true", help="print JSON with everything that is known")


def run(arguments: argparse.Namespace) -> None:
    """Print tables, or JSON."""
    entries = list_configs(*arguments.groups, config_dirs=arguments.config_dirs)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(entry) for entry in entries], indent=2))
        return
    groups = dict.fromkeys(entry.group for entry in entries if entry.group != BROKEN)
    tables = [_table(group, [entry for entry in entries if entry.group == group]) for group in groups]
    print("\n\n".join(tables))
    if faults := [f"  {entry.group} {entry.name}: {entry.error}" for entry in entries if entry.error]:
        print("\ncannot be used:\n" + "\n".join(faults))


def _table(group: str, entries: list[Entry]) -> str:
    rows = [_row(entry) for entry in entries]
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    if {entry.origin for entry in entries} == {"stylekit"}:
        titles.remove("from")
    widths = {title: max(len(title), *(len(row[title]) for row in rows)) for title in titles}
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    cells = [{title: title for title in titles}, *rows]
    lines = ["  ".join(f"{row[title]:<{widths[title]}}" for title in titles).rstrip() for row in cells]
    return "\n".join([group.upper(), *(_shorten(f"  {line}", room) for line in lines)])


def _row(entry: Entry) -> dict[str, str]:
    row = {"name": f"{entry.name} (!)" if entry.error else entry.name}
    if entry.group == "method":
        does = [word for word, can in (("embed", entry.encodes), ("render", entry.renders)) if can]
        row |= {"trains": ", ".join(entry.stages) or "nothing", "does": ", ".join(does)}
    if entry.group == "experiment":
        row |= {group: entry.uses.get(group, "") for group in ("method", "foundation", "data")}
    return row | {"what": entry.what, "paper": entry.paper, "from": entry.origin}


def _shorten(line: str, room: int) -> str:
    return line if len(line) <= room else line[: room - 1] + "…"
