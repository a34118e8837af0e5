"""A run's choices and its best epoch's figures, as TensorBoard's HParams plugin reads them."""

from datetime import datetime
from typing import Any

from photoclf.events import framed
from photoclf.files import replacing
from photoclf.run import Run

# TensorBoard takes any file for events whose name has `tfevents` in it; a name that stays has the
# file replaced, not doubled, when it is written again.
FILE_NAME = "events.out.tfevents.0.hparams"


def write_hparams(run: Run) -> None:
    """Write what TensorBoard's HParams tab shows of a run: `logs/hparams/`.

    The plugin shows a metric's last value, and the curves of `logs/train` and `logs/validation`
    end some epochs after the best one. So the best epoch's figures are written for themselves,
    under tags that no curve has: `best/` with `val_loss`, `val_accuracy`, `loss`, `accuracy` and
    `epoch`, and `cost/` with `flops`, `parameters` and `duration_s`.

    Args:
        run: A run with a history and a `model.json`. No TensorFlow is needed.

    Raises:
        RunError: If a file is missing, or no epoch has a val_loss.

    Example:
        >>> write_hparams(run)  # doctest: +SKIP
        >>> (run.logs / "hparams").is_dir()  # doctest: +SKIP
        True
    """
    # Here: protobufs are loaded by those who read or write events alone.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
    from tensorboard.plugins.hparams.metadata import (
        NULL_TENSOR,
        SESSION_END_INFO_TAG,
        create_summary_metadata,
    )
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    best = run.best_epoch
    values = {f"best/{name}": float(best[name]) for name in _MEASURES}
    values |= {f"cost/{name}": float(value) for name, value in run.cost.items()}
    start = datetime.fromisoformat(run.provenance["started_at"]).timestamp()
    end = start + run.cost["duration_s"]
    choices = {name: _plain(value) for name, value in run.config.to_mapping().items()}
    scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    # TensorBoard's own function for a session's end would load TensorFlow.
    finished = HParamsPluginData(
        session_end_info=SessionEndInfo(status=STATUS_SUCCESS, end_time_secs=end)
    )
    ended = Summary.Value(
        tag=SESSION_END_INFO_TAG,
        metadata=create_summary_metadata(finished),
        tensor=NULL_TENSOR,
    )
    events = [
        Event(wall_time=start, file_version="brain.Event:2"),
        Event(wall_time=start, summary=hparams_pb(choices, run.run_id, start)),
        Event(wall_time=end, step=int(best["epoch"]), summary=Summary(value=scalars)),
        Event(wall_time=end, summary=Summary(value=[ended])),
    ]
    with replacing(run.logs / "hparams" / FILE_NAME) as file:
        for event in events:
            file.write(framed(event.SerializeToString()))


_MEASURES = ("val_loss", "val_accuracy", "loss", "accuracy", "epoch")


def _plain(value: Any) -> str | int | float:
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "none"
    return "none" if value is None else value
