"""Interleaved measurements: `make bench` runs them and keeps what they find in results/bench.json."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest

RESULTS = Path(__file__).parent / "results" / "bench.json"
FOUND: dict[str, dict[str, Any]] = {}


@pytest.fixture
def interleaved() -> Callable[..., dict[str, float]]:
    """Measure actions in turn, so that a busy machine slows all alike."""
    return _interleaved


def _interleaved(rounds: int, **actions: Callable[[], Any]) -> dict[str, float]:
    """Return the median seconds of each action, after one round that does not count."""
    for action in actions.values():
        action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


@pytest.fixture
def numbers_of() -> Callable[..., tuple[float, ...]]:
    """Run code in a process of its own and return the numbers that it prints."""
    return _numbers_of


def _numbers_of(code: str, *arguments: str) -> tuple[float, ...]:
    # Told to keep what is freed, the allocator would show the memory of neither.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return tuple(map(float, ran.stdout.split()))


@pytest.fixture(autouse=True)
def unchecked() -> Iterator[None]:
    """Measure as users run: without the shape checks that the tests switch on."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def keep(request: pytest.FixtureRequest):
    """Keep what a measurement found under its name."""

    def write(what: str, **values: Any) -> None:
        rounded = {
            key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()
        }
        FOUND[request.node.name.removeprefix("test_")] = {"what": what, **rounded}

    return write


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Leave out what names a machine."""
    machine_info.clear()
    machine_info.update(processor=platform.machine(), python=platform.python_version())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what was found, with where and when; what was not measured this time stays as it was."""
    if FOUND:
        from stylekit.run import environment, now

        known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        RESULTS.parent.mkdir(exist_ok=True)
        made = {name: one | {"date": now(), "environment": environment()} for name, one in FOUND.items()}
        RESULTS.write_text(json.dumps(known | made, indent=2) + "\n")
