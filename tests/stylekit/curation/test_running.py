"""The whole pipeline on drawn pictures, small."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

import stylekit
from stylekit.config import build, compose, config_dirs
from stylekit.curation import running
from stylekit.curation.captioning import AtelierTruth
from stylekit.curation.counting import count_rows
from stylekit.curation.curation import STEPS
from stylekit.curation.failure import BUSY, Failure
from stylekit.curation.running import Runner, shards_of
from stylekit.curation.shards import Shards
from stylekit.curation.state import read_state
from stylekit.errors import ConfigError, DataError

THINNED = (
    "curation.pool.sources.0.num_style=40",
    "curation.pool.sources.0.num_content=40",
    "curation.rows_per_shard=16",
    "curation.balance.style.levels=[8, 2]",
    "curation.balance.style.size=20",
    "curation.balance.content.levels=[8, 2]",
    "curation.balance.content.size=25",
    "curation.pair.rows_per_shard=32",
    "curation.pair.contents_per_style=4",
    "curation.pair.match_splits=false",
    "curation.engine.workers=1",
)
SMALL = (*THINNED, "curation.encode=null", "curation.deduplicate=null", "curation.balance=null")


def curate(out, *overrides, small=SMALL):
    return stylekit.curate("demo", *small, *overrides, out=out)


def outputs(out):
    """Return all that must be the same, whatever happened on the way."""
    return {
        str(file.relative_to(out)): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and file.name not in ("step.json", "curation.yaml", ".lock")
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A curation that was left alone."""
    out = tmp_path_factory.mktemp("curated") / "whole"
    curate(out)
    return out


@pytest.fixture(scope="module")
def thinned(tmp_path_factory):
    """One with all steps, and how far the bar of each was when it was closed."""
    bars = {}

    class Bar(running.tqdm):
        def close(self):
            bars[self.desc.strip(" :")] = (self.n, self.total)
            super().close()

    out = tmp_path_factory.mktemp("curated") / "thinned"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "tqdm", Bar)
        curate(out, small=THINNED)
    return out, bars


def test_the_data_set_is_what_the_steps_made(whole):
    rows = pq.read_table(sorted((whole / "data").glob("*.parquet")), partitioning=None)
    assert len(rows) == 160
    assert len(set(rows["id"].to_pylist())) == 160
    pictures = pq.read_table(whole / "pool" / "part-00000.parquet", partitioning=None)
    assert rows["style"][0].as_py() in pictures["truth"][0].as_py()
    assert rows["image"][0].as_py()["bytes"][:4] == b"\x89PNG"
    assert 0.3 < rows["consistency"].to_numpy().mean() < 1.0
    card = (whole / "data" / "README.md").read_text()
    assert "160 images of" in card
    assert "| atelier | Apache-2.0 | style | 40 | 40 |" in card
    assert "| pool | 40 styles, 40 contents | 0 |" in card
    assert (whole / "data" / "sheet.jpg").stat().st_size > 10_000


def test_every_step_has_a_bar_that_knows_its_end(thinned):
    out, bars = thinned
    assert list(bars) == list(STEPS)
    kept = sum(count_rows(shards_of(out, "deduplicate")).values())
    assert kept < 80
    assert bars["deduplicate"] == (4 * 80, 4 * 80), "three levels and the writing"
    gone_over, most = bars.pop("balance")  # k-means ends where no point changes its cluster
    assert most == kept * (1 + 51)
    assert 3 * kept <= gone_over <= most, "two passes of each pool at least, and the writing"
    assert all(done == total > 0 for done, total in bars.values()), bars


def test_it_is_read_by_a_data_module(whole):
    report = stylekit.data_check(
        whole / "data", "data.styles_per_batch=4", "data.val_styles=0", "data.num_workers=0"
    )
    assert report.num_rows == 160
    assert report.rejected == ()


def test_what_is_done_is_not_done_again(whole, capsys):
    before = {file: file.stat().st_mtime_ns for file in whole.rglob("*.parquet")}
    curate(whole)
    assert {file: file.stat().st_mtime_ns for file in whole.rglob("*.parquet")} == before
    assert "again" not in capsys.readouterr().out


def test_a_changed_setting_redoes_its_step_and_those_after_and_says_so(whole, tmp_path, capsys):
    out = tmp_path / "out"
    curate(out)
    assert outputs(out) == outputs(whole)
    pools = {file: file.stat().st_mtime_ns for file in (out / "pool").iterdir()}
    capsys.readouterr()
    curate(out, "curation.pair.seed=5")
    said = capsys.readouterr().out
    assert "pair         is done again: seed is 5 and was 0" in said
    assert "synthesize   is done again: a step before it changed" in said
    assert "caption      is done again" not in said
    assert {file: file.stat().st_mtime_ns for file in (out / "pool").iterdir()} == pools
    curate(out)
    assert outputs(out) == outputs(whole)


def test_a_step_whose_folder_is_gone_is_done_again_with_those_after_it(whole, tmp_path):
    out = tmp_path / "out"
    curate(out, "curation.pool.sources.0.seed=1")
    shutil.rmtree(out / "pair")
    before = {name: (out / name / "step.json").stat().st_mtime_ns for name in ("caption", "synthesize")}
    curate(out, "curation.pool.sources.0.seed=1")
    after = {name: (out / name / "step.json").stat().st_mtime_ns for name in before}
    assert after["caption"] == before["caption"]
    assert after["synthesize"] > before["synthesize"]


def test_what_got_no_answer_is_asked_again_and_then_left_out(tmp_path, monkeypatch):
    asked = []

    def answer(self, queries):
        asked.extend(query.subject.id for query in queries)
        answers = zip(queries, truth(self, queries), strict=True)
        return [Failure(BUSY, "") if query.subject.id in silent else said for query, said in answers]

    truth = AtelierTruth.answer
    monkeypatch.setattr(AtelierTruth, "answer", answer)
    config = compose("demo", SMALL, group="curation")
    runner = Runner(build(config.values["curation"]), config.values["curation"], tmp_path)
    steps = runner.plan.steps
    runner.plan.steps = {name: steps[name] for name in ("list", "pool", "caption")}
    silent = {"atelier/style-000001", "atelier/content-000001"}
    with pytest.raises(
        DataError, match=r"'caption' got no answer about 2 rows .* Run the same command again"
    ):
        runner.run("")
    silent = {"atelier/content-000001"}
    asked.clear()
    with pytest.raises(DataError, match="no answer about 1 rows"):
        runner.run("")
    assert {*asked} >= {"atelier/style-000001", "atelier/content-000001"}
    runner.run("")
    assert shards_of(tmp_path, "caption").read_rejects()["id"].to_pylist() == ["atelier/content-000001"]
    asked.clear()
    runner.run("")
    assert asked == []


def test_other_weights_under_the_same_name_are_other_inputs(tmp_path, monkeypatch, capsys):
    weights = tmp_path / "weights"
    weights.write_bytes(b"some")
    monkeypatch.setattr(AtelierTruth, "files", lambda self: [weights])
    config = compose("demo", SMALL, group="curation")
    runner = Runner(build(config.values["curation"]), config.values["curation"], tmp_path / "out")
    steps = runner.plan.steps
    runner.plan.steps = {name: steps[name] for name in ("list", "pool", "caption")}
    runner.run("")
    weights.write_bytes(b"some")  # at another time
    runner.run("")
    assert "again" not in capsys.readouterr().out
    weights.write_bytes(b"more")
    runner.run("")
    said = capsys.readouterr().out
    assert "caption      is done again: what it reads changed" in said
    assert "pool         is done again" not in said


def test_a_folder_of_the_user_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jpg").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"data is there and no step of a curation wrote it"):
        curate(tmp_path)
    assert (tmp_path / "data" / "a.jpg").read_bytes() == b"mine"
    assert not (tmp_path / "list").exists()


def test_a_setting_of_the_engine_redoes_nothing(whole, capsys):
    curate(whole, "curation.engine.workers=2", "curation.caption.answers_per_second=5")
    assert "again" not in capsys.readouterr().out


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_it_ends_with_the_same_bytes(thinned, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "stylekit", "curate", "demo", *THINNED, "--out", str(out)]
    command[command.index("curation.engine.workers=1")] = "curation.engine.workers=2"
    kills = 0
    for wait in (12.0, 14.0, 16.0, 18.0, 20.0, 600.0):
        curating = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert curating.wait(timeout=wait) == 0
            break
        except subprocess.TimeoutExpired:
            os.kill(curating.pid, signal.SIGKILL)
            curating.wait()
            kills += 1
            time.sleep(0.5)
    assert kills >= 1
    assert outputs(out) == outputs(thinned[0])


KILLED = """
import os, signal, sys
import stylekit
from stylekit.curation import shards

def dying(table, path):
    write_shard(table, path)
    if str(path).endswith(sys.argv[2]):
        path.with_name(".part-00002.parquet.12345").write_bytes(b"PAR1 half")
        os.kill(os.getpid(), signal.SIGKILL)

write_shard, shards.write_shard = shards.write_shard, dying
stylekit.curate("demo", *sys.argv[3:], out=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "last", ["encode/part-00001.parquet", "deduplicate/rejects-00001.parquet", "balance/part-00000.parquet"]
)
def test_killed_behind_a_file_of_a_step_that_thins_it_ends_with_the_same_bytes(thinned, tmp_path, last):
    out = tmp_path / "out"
    shutil.copytree(thinned[0], out)
    names = list(STEPS)
    for name in names[names.index(last.partition("/")[0]) :]:  # as if it had not come so far
        shutil.rmtree(out / name)
    shutil.rmtree(out / "data")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out), last, *THINNED], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (out / last).is_file()
    assert not (out / "pair").exists()
    curate(out, small=THINNED)
    assert outputs(out) == outputs(thinned[0])


def test_broken_off_in_every_step_it_ends_with_the_same_bytes(thinned, tmp_path, monkeypatch):
    """As if it had been killed behind the first shard that a step writes, beside half of another."""
    out = tmp_path / "out"
    config = compose("demo", THINNED, group="curation")
    runner = Runner(build(config.values["curation"]), config.values["curation"], out)
    write = Shards.write
    for step in STEPS:
        shards = shards_of(out, step)

        def dying(self, index, kept, rejects, shards=shards):
            write(self, index, kept, rejects)
            if self == shards:
                (self.parts / ".part-00001.parquet.12345").write_bytes(b"PAR1 half")
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Shards, "write", dying)
            with pytest.raises(KeyboardInterrupt):
                runner.run("")
        assert shards.num_done() == 1
        assert not read_state(shards.folder).is_done
    curate(out, small=THINNED)
    assert outputs(out) == outputs(thinned[0])


def test_a_damaged_shard_costs_its_rows_and_is_named_by_the_step_that_reads_it(tmp_path):
    out = tmp_path / "out"
    more = "curation.pool.sources.0.num_style=80"  # over two shards
    curate(out, more, "curation.pair.seed=1")
    (out / "caption" / "part-00000.parquet").write_bytes(b"PAR1 and no more")
    (out / "synthesize" / "part-00001.parquet").write_bytes(b"PAR1 and no more")
    curate(out, more, "curation.pair.seed=2", "curation.write.title=Another")
    pair, write = (shards_of(out, name).read_rejects().to_pylist() for name in ("pair", "write"))
    assert pair == [
        {
            "id": "caption/part-00000.parquet",
            "reason": "truncated or damaged shard",
            "detail": "its rows are left out",
        }
    ]
    assert write == []  # drawn anew
    (out / "synthesize" / "part-00001.parquet").write_bytes(b"PAR1 and no more")
    curate(out, more, "curation.pair.seed=2", "curation.write.title=A third")
    assert [row["id"] for row in shards_of(out, "write").read_rejects().to_pylist()] == [
        "synthesize/part-00001.parquet"
    ]


def test_a_full_disk_stops_with_a_sentence_and_goes_on_later(whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        written = []

        def full(table, path, **settings):
            written.append(path)
            if len(written) > 12:
                raise OSError(errno.ENOSPC, "No space left on device")
            write_table(table, path, **settings)

        write_table = pq.write_table
        patch.setattr(pq, "write_table", full)
        with pytest.raises(DataError, match=r"The disk of .* is full\. What is finished is kept"):
            curate(out)
    curate(out)
    assert outputs(out) == outputs(whole)


def test_nothing_left_says_where_to_look(tmp_path):
    with pytest.raises(DataError, match=r"Nothing is left after the step 'pool'.*stylekit curate status"):
        curate(tmp_path / "out", "curation.pool.min_side=4096")
    status = stylekit.curate_status(tmp_path / "out")
    assert status.steps[1].rejected == {"a side below 4096 pixels": 80}
    assert "80 rejected: a side below 4096 pixels" in str(status)


def test_status_of_a_curation(whole):
    status = stylekit.curate_status(whole)
    assert [step.name for step in status.steps] == [
        "list", "pool", "caption", "pair", "synthesize", "embed", "audit", "write",
    ]  # fmt: skip
    assert all(step.is_done for step in status.steps)
    assert status.steps[1].kept == {"style": 40, "content": 40}
    assert "  synthesize   done               160 images" in str(status).splitlines()
    with pytest.raises(ConfigError, match="is no folder of a curation"):
        stylekit.curate_status(whole.parent)


def test_dry_run_says_what_is_to_be_done_and_runs_nothing(tmp_path, whole):
    outlook = stylekit.curate("demo", *SMALL, out=tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists()
    by_name = {step.name: step for step in outlook.steps}
    assert by_name["pool"].kept == {"style": 40, "content": 40}
    assert by_name["pool"].estimate.seconds == 1.0  # 80 pictures at 80 a second
    assert by_name["synthesize"].estimate.seconds == 2.0
    assert by_name["synthesize"].basis == "assumed"
    assert "160 images" in str(outlook)
    done = stylekit.curate("demo", *SMALL, "curation.pair.seed=9", out=whole, dry_run=True)
    bases = {step.name: step.basis for step in done.steps}
    assert bases["caption"] == "done"
    assert bases["synthesize"] == "measured"


def test_further_config_folders_reach_the_encoder_of_the_audit(tmp_path):
    (own,) = [one.path for one in config_dirs() if one.origin == "stylekit"]
    (tmp_path / "experiment").mkdir()
    text = (own / "experiment" / "colour_histogram.yaml").read_text()
    (tmp_path / "experiment" / "my_histogram.yaml").write_text(text)
    mine = ("curation.embed.encoder=my_histogram", "curation.embed.overrides=[]")
    outlook = stylekit.curate(
        "demo", *SMALL, *mine, out=tmp_path / "out", config_dirs=[tmp_path], dry_run=True
    )
    assert "embed" in str(outlook)


def test_a_price_is_counted(tmp_path):
    outlook = stylekit.curate(
        "demo", *SMALL, "curation.caption.price_per_answer=0.5", out=tmp_path, dry_run=True
    )
    assert outlook.price == 40.0
    assert "for 40.00" in str(outlook)


def test_two_at_once_are_refused(whole):
    from filelock import FileLock

    kept = (whole / "curation.yaml").read_text()
    with FileLock(whole / ".lock"), pytest.raises(ConfigError, match="Another process is curating into"):
        curate(whole, "curation.pair.seed=7")
    assert (whole / "curation.yaml").read_text() == kept


def test_config_of_a_curation_is_kept(whole):
    assert "AtelierPool" in (whole / "curation.yaml").read_text()
    assert json.loads((whole / "pool" / "step.json").read_text())["is_done"]


def test_a_typo_in_a_setting_is_heard():
    with pytest.raises(ConfigError, match=r"Pair takes no 'content_per_style'\. Did you mean 'contents_"):
        stylekit.curate("demo", "curation.pair.content_per_style=3", dry_run=True)
    with pytest.raises(ConfigError, match=r"there is no curation 'demoo'\. Did you mean 'demo'"):
        stylekit.curate("demoo")
