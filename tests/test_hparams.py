"""TensorBoard's own HParams plugin reads what runs write, and the curves stay what they were."""

import subprocess
import sys

import pytest
from tensorboard import context
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from photoclf.errors import RunError
from photoclf.hparams import write_hparams
from photoclf.runs import read_events
from tests.made_runs import make_run


def session_groups(folder):
    """Ask the plugin's backend what its table shows."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        include_metrics=True,
        allowed_statuses=[api_pb2.STATUS_SUCCESS],
    )
    handler = list_session_groups.Handler(context.RequestContext(), backend, "", request)
    return {group.name: group for group in handler.run().session_groups}


@pytest.fixture
def runs(tmp_path):
    made = [
        make_run(tmp_path, (0.6, 0.2, 0.5), filters=(4, 8), flops=2000),
        make_run(tmp_path, (0.7, 0.3, 0.1), learning_rate=0.01, seed=7),
    ]
    for run in made:
        write_hparams(run)
    return made


def test_the_plugin_lists_each_run_with_its_choices_and_its_best_epoch(runs, tmp_path):
    groups = session_groups(tmp_path)
    assert set(groups) == {run.run_id for run in runs}
    for run in runs:
        group = groups[run.run_id]
        shown = {value.name.tag: value.value for value in group.metric_values}
        assert shown["best/val_loss"] == pytest.approx(run.best_epoch["val_loss"])
        assert shown["best/epoch"] == run.best_epoch["epoch"]
        assert shown["best/val_accuracy"] == pytest.approx(run.best_epoch["val_accuracy"])
        assert shown["cost/flops"] == run.cost["flops"]
    first, second = (groups[run.run_id].hparams for run in runs)
    assert (first["filters"].string_value, second["filters"].string_value) == (
        "4,8",
        "16,32,64,128",
    )
    assert (first["seed"].number_value, second["seed"].number_value) == (42, 7)
    assert first["dense_units"].string_value == "none"
    assert set(first) == set(runs[0].config.to_mapping())


def test_writing_again_replaces_instead_of_doubling(runs, tmp_path):
    before = (runs[0].logs / "hparams").glob("*")
    content = {path: path.read_bytes() for path in before}
    write_hparams(runs[0])
    assert {p: p.read_bytes() for p in (runs[0].logs / "hparams").glob("*")} == content
    assert len(session_groups(tmp_path)) == 2


def test_the_curves_are_read_as_before(tmp_path):
    run = make_run(tmp_path)
    before = read_events([run])
    write_hparams(run)
    assert read_events([run]).equals(before)


def test_a_run_without_a_cost_is_refused_before_anything_is_written(tmp_path):
    run = make_run(tmp_path)
    (run.folder / "model.json").write_text("{}")
    with pytest.raises(RunError, match="model.json"):
        write_hparams(run)
    assert not (run.logs / "hparams").exists()


def test_writing_needs_no_tensorflow(tmp_path):
    run = make_run(tmp_path)
    code = (
        "import sys, pathlib; from photoclf.hparams import write_hparams;"
        "from photoclf.run import Run;"
        "write_hparams(Run(pathlib.Path(sys.argv[1])));"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(run.folder)], check=True)
