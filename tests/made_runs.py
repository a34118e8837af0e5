"""Runs as training leaves them, without training."""

import struct

import numpy as np
import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event

from photoclf.config import RunConfig
from photoclf.events import masked_crc32c
from photoclf.files import write_json
from photoclf.run import create_run, finish_run, write_val_scores
from photoclf.schema import HISTORY
from photoclf.tables import write_table

SPLIT = "a" * 64
START = 1_700_000_000.0
IMAGES = pd.DataFrame({"pathname": list("abcd"), "label": [1, 1, 0, 0], "group": list("abcd")})


def history(val_losses):
    n = len(val_losses)
    return pd.DataFrame(
        {
            "epoch": range(n),
            "loss": np.linspace(0.7, 0.1, n),
            "accuracy": np.linspace(0.5, 0.9, n),
            "val_loss": val_losses,
            "val_accuracy": np.linspace(0.5, 0.8, n),
            "learning_rate": 1e-3,
            "duration_s": 2.0,
        }
    )


def event(step, tag=None, value=0.0, *, wall_time=None, tensor=False):
    wall_time = START + 10 * step if wall_time is None else wall_time
    message = Event(wall_time=wall_time, step=step)
    if tag and tensor:
        entry = message.summary.value.add(tag=tag)
        entry.tensor.dtype = 1
        entry.tensor.float_val.append(value)
    elif tag:
        message.summary.value.add(tag=tag, simple_value=value)
    return message.SerializeToString()


def record(payload):
    head = struct.pack("<Q", len(payload))
    crcs = masked_crc32c([head, payload])
    return head + struct.pack("<I", crcs[0]) + payload + struct.pack("<I", crcs[1])


def write_events(folder, payloads, name="events.out.tfevents.1.host.1.0.v2"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(record(p) for p in payloads))
    return folder / name


def write_logs(run, frame):
    for folder, prefix in (("train", ""), ("validation", "val_")):
        payloads = [
            event(row.epoch, f"epoch_{tag}", getattr(row, prefix + tag))
            for row in frame.itertuples()
            for tag in ("loss", "accuracy")
        ]
        write_events(run.logs / folder, payloads)


def make_run(
    models,
    val_losses=(0.6, 0.4, 0.5),
    *,
    split=SPLIT,
    done=True,
    images=IMAGES,
    scores=(0.9, 0.6, 0.2, 0.4),
    flops=1000,
    parameters=10,
    **choices,
):
    provenance = {"split_hash": split, "started_at": "2026-11-01T09:00:00+00:00"}
    run = create_run(models, RunConfig(**choices), provenance)
    frame = history(list(val_losses))
    write_table(frame, run.folder / "history.csv", HISTORY)
    write_logs(run, frame)
    for name in ("best.keras", "model.tflite"):
        (run.folder / name).write_text(f"{name} of {run.run_id}")
    write_json(run.folder / "model.json", {"flops": flops, "parameters": parameters})
    write_val_scores(run, images, np.array(scores))
    if done:
        finish_run(run)
    return run
