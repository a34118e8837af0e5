"""Models and what a killed training goes on from, written and read as one file each."""

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from photoclf.backend import keras
from photoclf.errors import RunError
from photoclf.files import replacing


def save_model(model: keras.Model, path: Path) -> None:
    """Write a model as a Keras file, without its optimizer, atomically."""
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    try:
        without_optimizer(model).save(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def without_optimizer(model: keras.Model) -> keras.Model:
    """Return a model of the same layers and weights, not compiled."""
    return keras.Model(model.inputs, model.outputs, name=model.name)


def save_checkpoint(
    path: Path, model: keras.Model, state: dict[str, Any], others: Sequence[Any] = ()
) -> None:
    """Write all variables of a model and its optimizer, and a state, atomically.

    Args:
        path: The `.npz` file to write.
        model: A compiled model.
        state: What JSON takes.
        others: TensorFlow variables to write with them.
    """
    variables = [*_variables(model), *others]
    state = {**state, "shapes": [list(variable.shape) for variable in variables]}
    arrays = {f"v{i}": v.numpy() for i, v in enumerate(variables)}
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)


def load_checkpoint(path: Path, model: keras.Model, others: Sequence[Any] = ()) -> dict[str, Any]:
    """Assign what `save_checkpoint` wrote to a model and its optimizer.

    Returns:
        The state.

    Raises:
        RunError: If the file is damaged or the model another.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*_variables(model), *others]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = json.loads(str(arrays["state"]))
            _check_variables(path, state.pop("shapes"), variables)
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"v{i}"])
            return state
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(
            f"A checkpoint must be what training wrote. Received: {path} ({error})."
            " Delete the run's folder and train again."
        ) from error


def _check_variables(path: Path, saved: list[list[int]], variables: list[Any]) -> None:
    wanted = [list(variable.shape) for variable in variables]
    if saved != wanted:
        raise RunError(
            f"A checkpoint must have the variables of the model that goes on.\n- {wanted}"
            f"\n+ {saved}\nin {path}. Delete the run's folder and train again."
        )


def _variables(model: keras.Model) -> list[Any]:
    return [v.value for v in [*model.variables, *model.optimizer.variables]]
