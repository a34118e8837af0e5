"""Sweeps: nothing trained twice, failures told and survived, the same table however it ends."""

import json
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from photoclf import cluster, sweep
from photoclf.cluster import ClusterError, open_cluster
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError
from photoclf.files import write_json
from photoclf.locks import locked
from photoclf.paths import Workspace
from photoclf.run import create_run
from photoclf.runs import list_runs
from photoclf.space_file import read_space
from photoclf.split import read_split, split_hash
from photoclf.sweep import read_sweep, run_sweep, sweep_is_complete
from photoclf.sweep_plan import SweepError, plan_means
from photoclf.sweep_state import Sweep, sweep_runs
from photoclf.trials import run_trial
from tests import chaos_sweep

BASE = "base: {image_size: 32, filters: [4, 8], batch_size: 16, epochs: 1, threads: 1}\n"
DROPOUT = BASE + "parameters: {dropout: [0.1, 0.2]}\n"


def write_space(folder: Path, text: str) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def space_of(folder: Path, text: str):
    return read_space(write_space(folder, text))


def trials_of(space, workspace):
    of = Sweep(space, workspace)
    return [of.trial(planned) for one in of.rounds() for planned in one.trials]


@pytest.fixture
def checked(monkeypatch):
    """Take the networks for checked, which has tests of its own and loads TensorFlow."""
    monkeypatch.setattr(
        "photoclf.sweep_plan.check_networks", lambda configs, have: [2**30] * len(configs)
    )


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "photoclf", *map(str, arguments)], capture_output=True, text=True
    )


@pytest.mark.parametrize("wrong", [-1, 0, 1.5, "x", True])
@pytest.mark.parametrize("name", ["max_trials", "jobs"])
def test_a_wrong_number_of_trials_or_jobs_trains_nothing(trained, tmp_path, name, wrong):
    space = space_of(tmp_path, DROPOUT)
    with pytest.raises(ConfigError, match=name):
        run_sweep(space, trained, **{name: wrong})
    assert not Sweep(space, trained).folder.exists()


def test_a_sweep_that_has_not_started_shows_its_trials_waiting(trained, tmp_path):
    space = space_of(tmp_path, DROPOUT + "seeds: [7, 8]\n")
    table = read_sweep(space, trained)
    assert list(table.state) == ["waiting"] * 4
    assert list(table.seed) == [7, 8, 7, 8]
    assert list(table.dropout) == [0.1, 0.1, 0.2, 0.2]
    assert not sweep_is_complete(space, trained)
    assert not Sweep(space, trained).folder.exists()


@pytest.mark.notebooks
def test_a_sweep_trains_each_trial_once_and_goes_on_where_it_was(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    first = run_sweep(space, own_copy, max_trials=1)
    assert list(first.state) == ["done"]
    place = Sweep(space, own_copy)
    threads = place.about["threads"]
    table = run_sweep(space, own_copy, jobs=1)
    assert list(table.state) == ["done", "done"]
    assert table.run_id[0] == first.run_id[0]
    assert table.val_loss.notna().all()
    assert place.about["threads"] == threads, "another number of jobs changes no trial"
    runs = {run.run_id for run in list_runs(own_copy.models)}
    assert run_sweep(space, own_copy).equals(table)
    assert {run.run_id for run in list_runs(own_copy.models)} == runs
    assert {run.run_id for run in sweep_runs(own_copy, "tiny")} == set(table.run_id)
    assert (place.folder / "space.yaml").read_text(encoding="utf-8") == space.text
    assert (place.folder / "done").is_file()
    notebook = own_copy.models / table.run_id[0] / "notebook.ipynb"
    text = notebook.read_text(encoding="utf-8")
    assert str(own_copy.root) not in text
    assert str(Path(__file__).parents[1]) not in text


@pytest.mark.notebooks
def test_a_failing_trial_is_recorded_with_its_log_and_retried_only_when_asked(
    own_copy, tmp_path, checked
):
    space = space_of(tmp_path, DROPOUT)
    broken = next(iter(trials_of(space, own_copy))).config.replace(threads=1)
    provenance = {
        "split_hash": split_hash(read_split(own_copy.split)),
        "started_at": "2026-11-01T09:00:00+00:00",
    }
    found = create_run(own_copy.models, broken, provenance)
    (found.folder / "checkpoint.npz").write_bytes(b"spoilt")
    table = run_sweep(space, own_copy)
    assert list(table.state) == ["failed", "done"], "the other trial isn't stopped"
    assert "A checkpoint must be what training wrote" in table.reason[0]
    assert not sweep_is_complete(space, own_copy)
    state = trials_of(space, own_copy)[0].state
    assert "spoilt" not in json.dumps(state)
    assert any("A checkpoint must be" in line for line in state["log_tail"])
    text = (trials_of(space, own_copy)[0].folder / "notebook.ipynb").read_text(encoding="utf-8")
    assert str(own_copy.root) not in text, "not in a traceback either"
    assert str(Path(__file__).parents[1]) not in text
    assert run_sweep(space, own_copy).state[0] == "failed"
    (found.folder / "checkpoint.npz").unlink()
    assert list(run_sweep(space, own_copy, retry_failed=True).state) == ["done", "done"]


@pytest.mark.notebooks
def test_halving_drops_the_worse_and_goes_on_with_the_better(own_copy, tmp_path, checked):
    text = BASE.replace("epochs: 1", "epochs: 2") + "halving: {first: 1, factor: 2}\n"
    space = space_of(tmp_path, text + "parameters: {dropout: [0.1, 0.2]}\n")
    table = run_sweep(space, own_copy)
    assert sorted(table.state) == ["done", "dropped"]
    dropped, done = table[table.state == "dropped"], table[table.state == "done"]
    assert list(dropped.epochs) == [1]
    assert list(done.epochs) == [2]
    assert sweep_is_complete(space, own_copy)


@pytest.mark.notebooks
def test_a_sweep_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tiny_archive, tmp_path):
    expected, found, hit = chaos_sweep.run(
        tmp_path, trials=2, kills=3, seed=1, archive=tiny_archive
    )
    assert hit.total() == 3
    assert found.equals(expected)
    assert list(found.state) == ["done"] * 2
    assert not chaos_sweep.orphans(Workspace(tmp_path / "disturbed"))


def test_two_drivers_of_one_sweep_are_kept_apart(trained, tmp_path, checked):
    space = space_of(tmp_path, DROPOUT)
    folder = Sweep(space, trained).folder
    with locked(folder / ".driver"), pytest.raises(SweepError, match="one process at a time"):
        run_sweep(space, trained)
    folder.rmdir()


def test_a_sweep_stays_on_the_split_that_it_was_begun_on(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    Sweep(space, own_copy).begin("0" * 64, threads=1, memory=2**30)
    with pytest.raises(SweepError, match=f"- {'0' * 64}\n\\+ "):
        run_sweep(space, own_copy)


def test_a_network_that_cannot_be_built_is_told_before_anything_trains(trained, tmp_path):
    text = (
        "base: {image_size: 16, model: reference_cnn}\nparameters: {filters: [[8], [8, 8, 8, 8]]}"
    )
    space = space_of(tmp_path, text)
    with pytest.raises(ConfigError, match=r"8, 8, 8, 8.*after 4 halvings"):
        run_sweep(space, trained)
    assert not Sweep(space, trained).folder.exists()


def test_networks_too_large_for_the_memory_are_told_and_jobs_kept_to_what_fits(
    trained, tmp_path, monkeypatch
):
    space = space_of(tmp_path, DROPOUT)
    monkeypatch.setattr("photoclf.sweep_plan.usable_memory", lambda: 2**20)
    with pytest.raises(ConfigError, match="must fit into memory"):
        plan_means(space, trained)
    taken = 2**30
    monkeypatch.setattr("photoclf.sweep_plan.check_networks", lambda configs, have: [taken])
    # Of another machine's memory nothing is known.
    assert plan_means(space, trained, scheduler="tcp://10.0.0.5:8786").memory == taken
    monkeypatch.setattr("photoclf.sweep_plan.usable_memory", lambda: int(1.5 * taken))
    assert plan_means(space, trained).jobs == 1
    with pytest.raises(ConfigError, match="`jobs` must be what fits"):
        plan_means(space, trained, jobs=2)


def test_a_plan_is_told_without_writing_anything(trained, tmp_path):
    space = write_space(tmp_path, "question: Which?\nseeds: 2\n" + DROPOUT)
    done = command("sweep", space, "--workspace", trained.root, "--dry-run", "--jobs", 2)
    assert done.returncode == 0
    assert "Which?\ngrid search, trials: 4, 2 at once; a trial takes 1 of the" in done.stdout
    assert done.stdout.count("waiting") == 4
    assert not Sweep(read_space(space), trained).folder.exists()
    assert plan_means(read_space(space), trained).trials == 4


def test_a_mistyped_parameter_of_a_space_trains_nothing(trained, tmp_path):
    space = write_space(tmp_path, BASE + "parameters: {dropuot: [0.1]}\n")
    done = command("sweep", space, "--workspace", trained.root)
    assert done.returncode == 2
    assert "Did you mean 'dropout'" in done.stderr
    assert not (trained.sweeps / "tiny").exists()


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 1)
    with socket.socket() as taken:  # bound, and never answering
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match="must answer"), open_cluster(1, address):
            pass


@pytest.mark.parametrize("address", ["nonsense", "nonsense://", "tcp://:", "tcp://a", "inproc://x"])
def test_what_is_no_address_of_a_scheduler_is_told(address):
    with pytest.raises(ClusterError, match=r"tcp://HOST:PORT"), open_cluster(1, address):
        pass


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + 64 * b"x"])
def test_a_port_of_something_else_is_told(monkeypatch, answer):
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 1)

    class Other(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(answer)
            time.sleep(5)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Other) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(ClusterError, match="must answer"), open_cluster(1, address):
            pass
        server.shutdown()


@pytest.fixture(scope="module")
def foreign_cluster():
    """A cluster that somebody else started: its scheduler's address."""
    from distributed import LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(host="127.0.0.1", silence_logs=50, **options) as there:
        yield there.scheduler_address


def test_a_scheduler_that_is_lost_is_told():
    from distributed import Client, LocalCluster

    options = {"n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(host="127.0.0.1", silence_logs=50, **options) as there:
        client = Client(there)
        futures = [client.submit(time.sleep, 1)]
        assert not sweep._ended(client, futures)
    with pytest.raises(ClusterError, match="connection is lost"):
        sweep._ended(client, futures)
    client.close()


def test_workers_that_do_not_see_the_workspace_are_told(foreign_cluster, tmp_path):
    unseen = tmp_path / "elsewhere"
    told = pytest.raises(ClusterError, match="see the disks that it works on")
    with told, open_cluster(1, foreign_cluster, see=[unseen]):
        pass


@pytest.mark.notebooks
def test_trials_run_on_a_cluster_that_is_there_already(
    own_copy, tmp_path, foreign_cluster, checked
):
    space = space_of(tmp_path, BASE + "parameters: {dropout: [0.3]}\n")
    table = run_sweep(space, own_copy, scheduler=foreign_cluster)
    assert list(table.state) == ["done"]


def test_a_spoilt_state_and_a_deleted_run_cost_a_trial_and_no_more(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    first, second = trials_of(space, own_copy)
    first.folder.mkdir(parents=True)
    (first.folder / "state.json").write_text("{half")
    assert read_sweep(space, own_copy).state[0] == "waiting"
    (first.folder / "state.json").write_text('"text"')
    write_json(second.folder / "state.json", {"state": "done", "run_id": "deleted"})
    assert list(read_sweep(space, own_copy).state) == ["waiting", "waiting"]


def finished_trial(space, workspace):
    """A trial whose run is a copy of the finished one, and that run's folder."""
    trial = trials_of(space, workspace)[0]
    run = next(run for run in list_runs(workspace.models) if run.done)
    folder = workspace.models / f"20261101-090000_compact_cnn_{trial.config.hash8}"
    shutil.copytree(run.folder, folder)
    write_json(trial.folder / "state.json", {"state": "done", "run_id": folder.name})
    return trial, folder


@pytest.mark.parametrize("lost", ["best.keras", "val_scores.csv", "history.csv", "config.json"])
def test_a_run_that_lost_a_file_is_trained_again(own_copy, tmp_path, lost):
    space = space_of(tmp_path, DROPOUT)
    _, folder = finished_trial(space, own_copy)
    assert read_sweep(space, own_copy).state[0] == "done"
    (folder / lost).unlink()
    assert read_sweep(space, own_copy).state[0] == "waiting"


def test_a_done_run_without_its_training_state_keeps_its_figures(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    _, folder = finished_trial(space, own_copy)
    (folder / "state.json").unlink()
    assert read_sweep(space, own_copy).val_loss.notna()[0]


def test_the_run_of_another_trial_is_not_taken_for_ones_own(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    trial, _ = finished_trial(space, own_copy)
    other = trials_of(space, own_copy)[1]
    write_json(other.folder / "state.json", trial.state)
    assert list(read_sweep(space, own_copy).state) == ["done", "waiting"]


def test_what_was_running_when_everything_was_killed_is_interrupted(own_copy, tmp_path):
    space = space_of(tmp_path, DROPOUT)
    trial = trials_of(space, own_copy)[0]
    write_json(trial.folder / "state.json", {"state": "running"})
    assert read_sweep(space, own_copy).state[0] == "interrupted"
    with locked(trial.folder / ".lock"):
        assert read_sweep(space, own_copy).state[0] == "running"


@pytest.mark.parametrize("text", ["[]", "{", '{"threads": 1}', '{"threads": "x", "memory": 1}'])
def test_a_spoilt_sweep_is_told(own_copy, tmp_path, text):
    space = space_of(tmp_path, DROPOUT)
    folder = Sweep(space, own_copy).folder
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(text)
    with pytest.raises(RunError, match=r"sweep.json must be what the sweep wrote"):
        run_sweep(space, own_copy)


def test_a_finished_sweep_needs_no_archive(own_copy, tmp_path, checked):
    space = space_of(tmp_path, BASE + "parameters: {dropout: [0.1]}\n")
    finished_trial(space, own_copy)
    own_copy.archive_note.write_text("gone\n", encoding="utf-8")
    assert list(run_sweep(space, own_copy).state) == ["done"]


def test_a_trial_that_is_done_is_not_touched_again(own_copy, tmp_path, monkeypatch):
    trial, _ = finished_trial(space_of(tmp_path, DROPOUT), own_copy)
    monkeypatch.setattr("photoclf.trials.execute_notebook", pytest.fail)
    assert run_trial(trial) == "done"


def test_a_trial_is_what_the_command_line_would_train(trained, tmp_path):
    trial = trials_of(space_of(tmp_path, DROPOUT), trained)[0]
    by_hand = RunConfig(
        image_size=32, filters=(4, 8), batch_size=16, epochs=1, dropout=0.1, threads=1
    )
    assert trial.config == by_hand
