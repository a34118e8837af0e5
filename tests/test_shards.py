"""Shards on a Dask cluster: lost workers, killed runs, and the bytes of one machine alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from photoclf import shards as shards_module
from photoclf.cluster import ClusterError
from photoclf.errors import ConfigError
from photoclf.file_list import Source
from photoclf.files import read_json, sha256_file, write_json
from photoclf.predict import predict_files
from photoclf.prediction_places import InTheWayError, Places, PredictionError
from photoclf.run import Run
from photoclf.shards import predict_sharded
from tests.bright_model import choose, png, put

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks there")


@pytest.fixture
def run(bright_run) -> Run:
    return bright_run


@pytest.fixture
def archive(tmp_path) -> Path:
    root = tmp_path / "archive"
    for i in range(46):
        put(root, f"{i % 3}/{i:04d} ;é\n.png", png(5 * i) if i % 5 else b"no image")
    return root


@pytest.fixture
def alone(archive, run, tmp_path) -> Path:
    """What one machine alone writes."""
    out = tmp_path / "alone" / "out.csv"
    predict_files(Source(archive), run, out, workers=0)
    return out


def assert_same(out: Path, alone: Path) -> None:
    assert out.read_bytes() == alone.read_bytes()
    assert read_json(Places(out).note) == read_json(Places(alone).note)
    assert {path.name for path in out.parent.iterdir()} >= {out.name, f"{out.name}.json"}
    assert not list(out.parent.glob("*.shards"))


class HereClient:
    """A cluster of nobody: work is done where it is submitted, so that tests are fast."""

    def __init__(self, done, stop_after=None):
        self.done, self.stop_after = done, stop_after

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def submit(self, function, *args, key, pure):
        if self.stop_after is not None and len(self.done) == self.stop_after:
            raise KeyboardInterrupt
        self.done.append(key)
        from concurrent.futures import Future

        future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture
def here(monkeypatch):
    """Do the work of shards in this process; return the shards that were done, and a stop."""
    import distributed

    done, stop = [], {}
    monkeypatch.setattr(
        shards_module, "open_cluster", lambda *_: HereClient(done, stop.get("after"))
    )
    monkeypatch.setattr(distributed, "as_completed", lambda futures: list(futures))
    monkeypatch.setattr(
        shards_module,
        "predict_files",
        lambda *what, workers, anew: predict_files(*what, workers=0, anew=anew),
    )
    return done, stop


def test_two_workers_write_what_one_machine_alone_would(archive, run, tmp_path, alone):
    out = tmp_path / "out.csv"
    told = predict_sharded(Source(archive), run, out, jobs=2, shard_files=20)
    assert_same(out, alone)
    assert told.summary()["files"] == 46
    again = predict_sharded(Source(archive), run, out, jobs=2, shard_files=20)
    assert again.kept == 46


def test_a_worker_that_is_killed_half_way_loses_nothing(archive, run, tmp_path, alone):
    import distributed

    started = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard"]
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        workers = [
            subprocess.Popen(
                [*started, address, "--nthreads", "1", "--no-nanny"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=tmp_path,
            )
            for _ in range(2)
        ]
        out = tmp_path / "out.csv"
        watch = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import os, sys, time, glob\n"
                "while len(glob.glob(sys.argv[1])) < 3: time.sleep(0.02)\n"
                "os.kill(int(sys.argv[2]), 9)",
                f"{out}.shards/*.csv.json",
                str(workers[0].pid),
            ]
        )
        try:
            predict_sharded(Source(archive), run, out, scheduler=address, shard_files=4)
            assert watch.wait(timeout=60) == 0
            assert workers[0].wait(timeout=60) == -9
            assert workers[1].poll() is None
        finally:
            for process in [watch, *workers]:
                process.kill()
                process.wait()
    assert_same(out, alone)


def test_killed_and_called_again_finished_shards_are_left_as_they_are(
    archive, run, tmp_path, alone, here, monkeypatch
):
    _, stop = here
    stop["after"] = 3
    out = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_sharded(Source(archive), run, out, shard_files=10)
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out.csv.shards/0000?.csv")}
    assert len(finished) == 3
    stop.clear()
    seen, merged = [], shards_module._merged

    def watched(*args):
        seen.extend(path.stat().st_mtime_ns for path in finished)
        return merged(*args)

    monkeypatch.setattr(shards_module, "_merged", watched)
    told = predict_sharded(Source(archive), run, out, shard_files=10)
    assert seen == list(finished.values())
    assert told.kept == 30
    assert_same(out, alone)


@pytest.mark.parametrize("change", ["model", "archive", "size of shards"])
def test_shards_of_another_model_archive_or_size_are_made_anew(
    archive, run, tmp_path, here, change
):
    _, stop = here
    stop["after"] = 3
    out, size = tmp_path / "out.csv", 10
    with pytest.raises(KeyboardInterrupt):
        predict_sharded(Source(archive), run, out, shard_files=10)
    stop.clear()
    if change == "model":
        choose(run, 0.8)
    elif change == "archive":
        put(archive, "0/0000 first.png", png(200))
    else:
        size = 7
    predict_sharded(Source(archive), run, out, shard_files=size)
    alone = tmp_path / "alone" / "out.csv"
    predict_files(Source(archive), run, alone, workers=0)
    assert_same(out, alone)


@pytest.mark.parametrize("spoil", ["a row less", "a row more", "another name", "nothing"])
def test_shards_that_dont_add_up_to_the_files_are_not_merged(
    archive, run, tmp_path, here, monkeypatch, spoil
):
    out = tmp_path / "out.csv"
    merged = shards_module._merged

    def spoilt(shards, *rest):
        path = shards[1].out
        lines = path.read_bytes().split(b'\n"')
        if spoil == "a row less":
            path.write_bytes(b'\n"'.join(lines[:-1]) + b"\n")
        elif spoil == "a row more":
            path.write_bytes(path.read_bytes() + b"x.png;;;unreadable;corrupt\n")
        elif spoil == "another name":
            path.write_bytes(path.read_bytes().replace(b"001", b"771", 1))
        else:
            path.write_bytes(b"")
        note = read_json(Places(path).note)
        write_json(Places(path).note, note | {"sha256": sha256_file(path)})
        return merged(shards, *rest)

    monkeypatch.setattr(shards_module, "_merged", spoilt)
    with pytest.raises(PredictionError, match="must hold the rows of its 10 files"):
        predict_sharded(Source(archive), run, out, shard_files=10)
    assert not out.exists()


@pytest.mark.parametrize("spoil", ["bytes", "model"])
def test_a_shard_that_somebody_changed_or_another_model_made_is_not_merged(
    archive, run, tmp_path, here, monkeypatch, spoil
):
    merged = shards_module._merged

    def spoilt(shards, *rest):
        place = Places(shards[1].out)
        if spoil == "bytes":
            place.out.write_bytes(place.out.read_bytes().replace(b"photo", b"other", 1))
        else:
            note = read_json(place.note)
            note["made_with"]["threshold"] = 0.1
            write_json(place.note, note)
        return merged(shards, *rest)

    monkeypatch.setattr(shards_module, "_merged", spoilt)
    with pytest.raises(InTheWayError, match="somebody has changed|one model"):
        predict_sharded(Source(archive), run, tmp_path / "out.csv", shard_files=10)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such rights")
def test_a_folder_without_permission_and_links_are_told_as_by_one_machine(
    archive, run, tmp_path, here, monkeypatch
):
    locked = archive / "locked"
    locked.mkdir()
    (archive / "up").symlink_to(archive)
    scandir = os.scandir

    def refused(place):
        if str(place).rstrip("/") == str(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refused)
    alone = tmp_path / "alone" / "out.csv"
    predict_files(Source(archive), run, alone, workers=0)
    assert b"locked/;;;unreadable;folder_no_permission" in alone.read_bytes()
    predict_sharded(Source(archive), run, tmp_path / "out.csv", shard_files=10)
    assert_same(tmp_path / "out.csv", alone)


def test_a_folder_of_that_name_that_is_somebody_elses_is_left_alone(archive, run, tmp_path, here):
    mine = put(tmp_path, "out.csv.shards/mine.txt", b"mine")
    with pytest.raises(InTheWayError, match="isn't theirs"):
        predict_sharded(Source(archive), run, tmp_path / "out.csv")
    assert mine.read_bytes() == b"mine"


def test_two_predictions_on_one_cluster_do_not_take_each_others_shards(
    archive, run, tmp_path, here
):
    for name in ("a", "b"):
        predict_sharded(Source(archive), run, tmp_path / name / "out.csv", shard_files=30)
    assert len(set(here[0])) == 4


def test_predictions_that_are_there_are_not_overwritten_by_shards(archive, run, alone, here):
    choose(run, 0.8)
    before = alone.read_bytes()
    with pytest.raises(InTheWayError):
        predict_sharded(Source(archive), run, alone)
    assert alone.read_bytes() == before
    assert not here[0]


def test_a_worker_that_does_not_see_the_archive_is_told(archive, run, tmp_path, monkeypatch):
    import distributed

    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        place = tmp_path / "elsewhere"
        shutil.copytree(archive, place)
        lay = shards_module._lay_shards

        def unmount(*args):
            shutil.move(place, tmp_path / "unmounted")
            return lay(*args)

        monkeypatch.setattr(shards_module, "_lay_shards", unmount)
        with pytest.raises(ClusterError, match="doesn't see .*elsewhere"):
            predict_sharded(
                Source(place), run, tmp_path / "out.csv", scheduler=cluster.scheduler_address
            )


@pytest.mark.parametrize("shard_files", [0, -1, 2.5])
def test_a_size_of_shards_must_be_a_whole_number(archive, run, tmp_path, shard_files):
    with pytest.raises(ConfigError, match="shard_files"):
        predict_sharded(Source(archive), run, tmp_path / "out.csv", shard_files=shard_files)
