import os
import signal
import sys
import time
from pathlib import Path

import pytest

from stylekit.errors import ConfigError
from stylekit.launching import Local, Task


def task(folder: Path, name: str, code: str) -> Task:
    return Task(name, (sys.executable, "-c", code), folder / f"{name}.log", folder)


def run(launcher, tasks, **settings):
    return {one.name: code for one, code in launcher.launch(tasks, **settings)}


def wait_for(job):
    while (code := job.poll()) is None:
        time.sleep(0.05)
    return code


def test_exit_codes_and_logs(tmp_path):
    tasks = [task(tmp_path, "good", "print('fine')"), task(tmp_path, "bad", "raise SystemExit(3)")]
    assert run(Local(), tasks) == {"good": 0, "bad": 3}
    assert (tmp_path / "good.log").read_text() == "fine\n"


def test_in_order_one_ends_before_the_next_begins_and_is_taken(tmp_path):
    ended = []

    def tasks():
        for name in "abc":
            assert len(ended) == "abc".index(name)
            yield task(tmp_path, name, "pass")

    for one, _ in Local().launch(tasks()):
        ended.append(one.name)
    assert ended == ["a", "b", "c"]


def test_several_run_at_once(tmp_path):
    # Each waits until the other is there.
    code = (
        "import pathlib, time, sys; pathlib.Path(sys.argv[1] if 1 else '').touch()\n"
        "while not all(pathlib.Path(n).exists() for n in 'ab'): time.sleep(0.05)"
    )
    tasks = [
        Task(name, (sys.executable, "-c", code, name), tmp_path / f"{name}.log", tmp_path) for name in "ab"
    ]
    assert run(Local(parallel=2), tasks) == {"a": 0, "b": 0}


def test_a_task_that_should_stop_is_interrupted(tmp_path):
    code = (
        "import time\n"
        "try:\n    print('up', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('saved')"
    )
    one = task(tmp_path, "long", code)
    began = time.monotonic()
    codes = run(Local(), [one], should_stop=lambda one: one.log.exists() and "up" in one.log.read_text())
    assert codes == {"long": 0}
    assert one.log.read_text() == "up\nsaved\n"
    assert time.monotonic() - began < 30


def test_the_same_task_twice_at_once_is_two_runs(tmp_path):
    one = task(tmp_path, "same", "pass")
    assert [code for _, code in Local(parallel=2).launch([one, one])] == [0, 0]


def test_a_task_hears_an_interrupt_though_its_parent_ignores_them(tmp_path):
    """As in a script that runs us in the background."""
    one = task(tmp_path, "long", "import time\nprint('up', flush=True)\ntime.sleep(60)")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        codes = run(Local(), [one], should_stop=lambda one: one.log.exists() and one.log.read_text() != "")
        assert codes["long"] != 0
        assert "KeyboardInterrupt" in one.log.read_text()
    finally:
        signal.signal(signal.SIGINT, before)


def test_leaving_early_stops_what_runs(tmp_path):
    slow = task(tmp_path, "slow", "import time; print('up', flush=True); time.sleep(60)")
    quick = task(
        tmp_path,
        "quick",
        "import pathlib, time\nwhile not pathlib.Path('slow.log').exists(): time.sleep(0.05)",
    )
    began = time.monotonic()
    running = Local(parallel=2).launch([slow, quick])
    assert next(running)[0].name == "quick"
    running.close()
    assert time.monotonic() - began < 30


def test_each_task_has_its_own_gpu_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    # The first two overlap; the third runs after one of them.
    code = (
        "import os, pathlib, time\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True)\n"
        "while len(list(pathlib.Path().glob('*.log'))) < 2: time.sleep(0.05)"
    )
    tasks = [task(tmp_path, name, code) for name in "abc"]
    assert run(Local(parallel=2, gpus_per_task=1), tasks) == {"a": 0, "b": 0, "c": 0}
    seen = [(tmp_path / f"{name}.log").read_text().strip() for name in "abc"]
    assert seen[:2] == ["4", "7"]
    assert seen[2] in seen[:2]


def test_more_gpus_than_there_are_is_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ConfigError, match="need 4 GPUs, and this machine shows 1"):
        Local(parallel=2, gpus_per_task=2)


def test_a_job_that_outlived_its_driver_is_not_submitted_again(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    from submitit.local.local import LocalJob

    from stylekit.launching import Slurm

    def launcher():
        return Slurm(parameters={"timeout_min": 5}, cluster="local", folder=str(tmp_path / "jobs"))

    code = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)\nprint('once')"
    one = task(tmp_path, "long", code)
    job = launcher().start(one)
    # Of a job of another process submitit's local stand-in knows only whether its result is there.
    monkeypatch.setattr(LocalJob, "done", lambda self, force_check=False: self.paths.result_pickle.exists())
    again = launcher().start(one)
    (tmp_path / "go").touch()
    assert wait_for(again) == 0
    monkeypatch.undo()
    assert wait_for(job) == 0
    assert one.log.read_text() == "once\n"
    assert wait_for(launcher().start(one)) == 0  # that one is over: this is a new one
    assert one.log.read_text() == "once\nonce\n"


@pytest.mark.parametrize(("age", "is_kept"), [(1, True), (3600, False)])
def test_a_job_that_the_queue_does_not_know_is_kept_only_while_it_is_new(tmp_path, monkeypatch, age, is_kept):
    pytest.importorskip("submitit")
    from submitit.local.local import LocalJob

    from stylekit.launching import Slurm

    launcher = Slurm(parameters={"timeout_min": 5}, cluster="local", folder=str(tmp_path / "jobs"))
    note = tmp_path / "one.job"
    note.write_text("17")
    os.utime(note, (time.time() - age,) * 2)
    monkeypatch.setattr(LocalJob, "done", lambda self, force_check=False: False)
    monkeypatch.setattr(LocalJob, "state", "UNKNOWN")
    assert (launcher._still_there(note) is not None) == is_kept


def test_a_job_that_the_queue_forgets_is_given_up_and_one_that_is_stopped_leaves_no_note(
    tmp_path, monkeypatch
):
    pytest.importorskip("submitit")
    from submitit.local.local import LocalJob

    from stylekit.launching import Slurm

    launcher = Slurm(parameters={"timeout_min": 5}, cluster="local", folder=str(tmp_path / "jobs"))
    one = task(tmp_path, "short", "print('fine')")
    job = launcher.start(one)
    assert wait_for(job) == 0
    monkeypatch.setattr(LocalJob, "done", lambda self, force_check=False: False)
    monkeypatch.setattr(LocalJob, "state", "UNKNOWN")
    assert job.poll() is None
    note = one.log.with_suffix(".job")
    os.utime(note, (time.time() - 3600,) * 2)
    assert job.poll() == 1
    assert "does not know job" in one.log.read_text()
    job.stop()
    assert not note.exists()


def test_submitit_runs_tasks_and_reports_failures(tmp_path):
    pytest.importorskip("submitit")
    from stylekit.launching import Slurm

    launcher = Slurm(
        parallel=2, parameters={"timeout_min": 5}, cluster="local", folder=str(tmp_path / "jobs")
    )
    tasks = [task(tmp_path, "good", "print('fine')"), task(tmp_path, "bad", "raise SystemExit(3)")]
    assert run(launcher, tasks) == {"good": 0, "bad": 3}
    assert (tmp_path / "good.log").read_text() == "fine\n"


def test_ray_gives_the_task_of_a_killed_worker_to_another(tmp_path):
    ray = pytest.importorskip("ray")
    from stylekit.launching import Ray

    # The first attempt kills the worker that runs it; the second finds the mark of the first and goes on.
    killer = (
        "import os, pathlib, signal, time\n"
        "mark = pathlib.Path('mark')\n"
        "if not mark.exists():\n"
        "    mark.touch(); os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)\n"
        "print('went on')"
    )
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        tasks = [task(tmp_path, "killed", killer), task(tmp_path, "good", "print('fine')")]
        tasks.append(task(tmp_path, "bad", "raise SystemExit(3)"))
        assert run(Ray(max_retries=1), tasks) == {"killed": 0, "good": 0, "bad": 3}
        assert (tmp_path / "killed.log").read_text() == "went on\n"
    finally:
        ray.shutdown()
