"""A sweep's folder: which of its runs count."""

import pytest

from photoclf.errors import RunError
from photoclf.files import write_json
from photoclf.paths import Workspace
from photoclf.sweep_state import sweep_runs
from tests.made_runs import make_run


def write_trial(workspace, number, state, run_id=""):
    folder = workspace.models / "sweeps" / "depth"
    write_json(folder / "trials.json", [str(i) for i in range(number + 1)])
    state = {"state": state, "run_id": run_id}
    write_json(folder / "trials" / str(number) / "state.json", state)


def test_a_sweeps_runs_are_those_of_its_finished_trials(tmp_path):
    workspace = Workspace(tmp_path)
    with pytest.raises(RunError, match="none so far"):
        sweep_runs(workspace, "depth")
    run, other = make_run(workspace.models), make_run(workspace.models)
    write_trial(workspace, 0, "failed")
    with pytest.raises(RunError, match=r"1 trials and none finished.*photoclf sweep depth"):
        sweep_runs(workspace, "depth")
    write_trial(workspace, 1, "done", run.run_id)
    write_trial(workspace, 2, "paused", other.run_id)
    assert sweep_runs(workspace, "depth") == [run]
    with pytest.raises(RunError, match="Did you mean 'depth'"):
        sweep_runs(workspace, "deepth")
    # Its space was changed: what it had before isn't compared any more.
    write_trial(workspace, 3, "done", other.run_id)
    write_json(workspace.models / "sweeps" / "depth" / "trials.json", ["3"])
    assert sweep_runs(workspace, "depth") == [other]
    (other.folder / "val_scores.csv").unlink()
    with pytest.raises(RunError, match=rf"{other.run_id} isn't. Run it again: photoclf sweep"):
        sweep_runs(workspace, "depth")
    (workspace.models / "sweeps" / "depth" / "trials.json").write_text("{half")
    with pytest.raises(RunError, match="must be what a sweep wrote"):
        sweep_runs(workspace, "depth")
