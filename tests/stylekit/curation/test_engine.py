import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from stylekit.curation.engine import Local, ShardWork
from stylekit.curation.failure import rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import RowStep
from stylekit.errors import DataError

# Worker processes import it by its name.
STEPS = '''
import os, pathlib, signal, time
import pyarrow as pa
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.step import RowStep
from stylekit.errors import DataError

class Double(RowStep):
    """Doubles x, and rejects 7."""

    def __init__(self, dies_at=(), deaths=0, folder="", seconds=0.0, slow_at=None):
        self.loaded, self.slow_at = None, slow_at
        self.dies_at, self.deaths, self.folder, self.seconds = dies_at, deaths, folder, seconds

    def __call__(self, table):
        rows = table.to_pylist()
        if rows[0]["x"] in self.dies_at:
            marks = len(list(pathlib.Path(self.folder).glob("death-*")))
            if marks < self.deaths:
                (pathlib.Path(self.folder) / f"death-{marks}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        self.loaded = "a model"
        if self.slow_at is None or rows[0]["x"] in self.slow_at:
            time.sleep(self.seconds)
        kept = [{"id": row["id"], "x": 2 * row["x"]} for row in rows if row["x"] != 7]
        rejects = [(row["id"], Failure("seven", "")) for row in rows if row["x"] == 7]
        return pa.Table.from_pylist(kept), rejects_table(rejects)

class Full(RowStep):
    def __call__(self, table):
        raise DataError("The disk is full.")
'''


@pytest.fixture
def steps(tmp_path, monkeypatch):
    folder = tmp_path / "steps"
    folder.mkdir()
    (folder / "curation_steps_of_tests.py").write_text(STEPS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{Path.cwd()}")  # for workers of Ray
    monkeypatch.setenv("RAY_worker_niceness", "0")  # they would wait for whatever else runs here
    import curation_steps_of_tests

    yield curation_steps_of_tests
    del sys.modules["curation_steps_of_tests"]


def source(tmp_path, num_shards=6):
    shards = Shards(tmp_path / "before", tmp_path / "before")
    for number in range(num_shards):
        xs = range(3 * number, 3 * number + 3)
        shards.write(number, pa.table({"id": [f"r{x}" for x in xs], "x": list(xs)}), rejects_table([]))
    return shards


def content(shards):
    return {file.name: file.read_bytes() for file in sorted(shards.folder.iterdir())}


def run(engine, step, before, into, indices=range(6)):
    return sorted(engine.map(ShardWork(step, before, into), list(indices)))


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path, steps):
    before = source(tmp_path)
    alone, several = (Shards(tmp_path / name, tmp_path / name) for name in ("alone", "several"))
    reports = run(Local(), steps.Double(), before, alone)
    assert run(Local(workers=2), steps.Double(), before, several) == reports
    assert content(alone) == content(several)
    assert len(content(alone)) == 12
    assert alone.read(["x"])["x"].to_pylist() == [2 * x for x in range(18) if x != 7]
    assert alone.read_rejects().to_pylist() == [{"id": "r7", "reason": "seven", "detail": ""}]
    assert [(report.kept, report.rejected) for report in reports][2] == (2, 1)


def test_an_unreadable_shard_costs_its_rows_and_is_named(tmp_path, steps):
    before = source(tmp_path)
    before.part(1).write_bytes(b"PAR1 and no more")
    into = Shards(tmp_path / "into", tmp_path / "into")
    run(Local(), steps.Double(), before, into)
    assert into.read(["x"])["x"].to_pylist() == [2 * x for x in [0, 1, 2, 6, *range(8, 18)]]
    assert into.read_rejects().to_pylist()[0] == {
        "id": "before/part-00001.parquet",
        "reason": "truncated or damaged shard",
        "detail": "its rows are left out",
    }


def test_rows_are_given_the_columns_beside_them_by_their_ids(tmp_path):
    before, beside, into = (Shards(tmp_path / name, tmp_path / name) for name in ("before", "more", "into"))
    for number in range(3):
        ids = [f"{number}{letter}" for letter in "abc"]
        before.write(number, pa.table({"id": ids, "x": [1, 2, 3]}), rejects_table([]))
        judged = pa.table({"id": ids[:0:-1], "x": [9, 9], "y": [30, 20]})
        beside.write(number, judged if number else pa.table({}), rejects_table([]))
    beside.part(2).write_bytes(b"PAR1 and no more")

    class Keep(RowStep):
        def __call__(self, table):
            return table, rejects_table([])

    reports = [ShardWork(Keep(), before, into, beside)(number) for number in range(3)]
    tables = list(into.tables())
    assert tables[0].to_pydict() == {"id": ["0a", "0b", "0c"], "x": [1, 2, 3]}
    assert tables[1].to_pydict() == {"id": ["1a", "1b", "1c"], "x": [1, 2, 3], "y": [None, 20, 30]}
    assert tables[2]["x"].to_pylist() == [1, 2, 3], "what is beside is damaged, and no row is lost"
    assert into.read_rejects().to_pylist() == [
        {
            "id": "more/part-00002.parquet",
            "reason": "truncated or damaged shard",
            "detail": "the rows stay, without what it says of them",
        }
    ]
    assert [report.rejected for report in reports] == [0, 0, 1]


def test_a_worker_that_is_killed_costs_nothing(tmp_path, steps):
    before = source(tmp_path)
    whole, into = (Shards(tmp_path / name, tmp_path / name) for name in ("whole", "into"))
    run(Local(), steps.Double(), before, whole)
    dying = steps.Double(dies_at=[6], deaths=1, folder=str(tmp_path))
    assert len(run(Local(workers=2), dying, before, into)) == 6
    assert (tmp_path / "death-0").exists()
    assert content(into) == content(whole)


def test_a_shard_that_every_worker_dies_of_is_rejected_by_name(tmp_path, steps):
    into = Shards(tmp_path / "into", tmp_path / "into")
    dying = steps.Double(dies_at=[6], deaths=99, folder=str(tmp_path))
    reports = run(Local(workers=2), dying, source(tmp_path), into)
    assert [report.shard for report in reports] == list(range(6))
    assert into.read(["x"])["x"].to_pylist() == [2 * x for x in [*range(6), *range(9, 18)]]
    assert into.read_rejects().to_pylist() == [
        {
            "id": "before/part-00002.parquet",
            "reason": "a worker died of it",
            "detail": "its rows are left out",
        }
    ]


def test_workers_that_die_of_every_shard_end_the_run(tmp_path, steps):
    into = Shards(tmp_path / "into", tmp_path / "into")
    dying = steps.Double(dies_at=range(0, 18, 3), deaths=99, folder=str(tmp_path))
    with pytest.raises(
        DataError, match=r"died 5 times without finishing a shard .* set curation.engine.workers"
    ):
        run(Local(workers=2), dying, source(tmp_path), into)
    assert into.num_done() == 0


def test_models_go_with_the_step(tmp_path, steps):
    step = steps.Double()
    step.loaded = None
    run(Local(), step, source(tmp_path), Shards(tmp_path / "into", tmp_path / "into"))
    assert step.loaded is None


def test_an_interruption_does_not_wait_for_shards_under_way(tmp_path, steps):
    into = Shards(tmp_path / "into", tmp_path / "into")
    slow = steps.Double(slow_at=(3,), seconds=60.0)
    reports = Local(workers=2).map(ShardWork(slow, source(tmp_path), into), range(6))
    next(reports)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        reports.throw(KeyboardInterrupt)
    assert time.monotonic() - began < 20


def test_ray_is_not_asked_for_nothing(tmp_path, steps):
    from stylekit.curation.ray_data import RayData

    into = Shards(tmp_path / "into", tmp_path / "into")
    assert run(RayData(), steps.Double(), source(tmp_path, 1), into, []) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_step_says_for_users_is_heard(tmp_path, steps, workers):
    into = Shards(tmp_path / "into", tmp_path / "into")
    with pytest.raises(DataError, match=r"The disk is full\."):
        run(Local(workers), steps.Full(), source(tmp_path), into)


def test_workers_leave_with_a_parent_that_is_killed(tmp_path, steps):
    source(tmp_path)
    code = (
        "from pathlib import Path\n"
        "from curation_steps_of_tests import Double\n"
        "from stylekit.curation.engine import Local, ShardWork\n"
        "from stylekit.curation.shards import Shards\n"
        "import multiprocessing, os\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "before, into = (Shards(folder / name, folder / name) for name in ('before', 'into'))\n"
        "if __name__ == '__main__':\n"
        "    for report in Local(2).map(ShardWork(Double(seconds=1.0), before, into), range(6)):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
    )
    (tmp_path / "main.py").write_text(code)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "main.py")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray, about itself
def test_ray_data_gives_the_same_bytes_though_a_worker_is_killed(tmp_path, steps):
    ray = pytest.importorskip("ray")
    from stylekit.curation.ray_data import RayData

    before = source(tmp_path, 12)
    whole, into = (Shards(tmp_path / name, tmp_path / name) for name in ("whole", "into"))
    expected = run(Local(), steps.Double(), before, whole, range(12))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        dying = steps.Double(dies_at=[18], deaths=1, folder=str(tmp_path), seconds=0.2)
        assert run(RayData(workers=2), dying, before, into, range(12)) == expected
        assert (tmp_path / "death-0").exists()
        assert content(into) == content(whole)
        dying = steps.Double(dies_at=[18], deaths=99, folder=str(tmp_path))
        with pytest.raises(DataError, match="died 3 times"):
            run(RayData(workers=2), dying, before, Shards(tmp_path / "dead", tmp_path / "dead"), range(12))
        with pytest.raises(DataError, match=r"The disk is full\."):
            run(
                RayData(workers=2),
                steps.Full(),
                before,
                Shards(tmp_path / "full", tmp_path / "full"),
                range(12),
            )
    finally:
        ray.shutdown()
