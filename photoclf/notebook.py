"""Notebooks: checked parameters and a workspace inside, strict execution from outside."""

import os
import re
import tempfile
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from photoclf.config import CHOICES, RunConfig
from photoclf.errors import ConfigError, PhotoclfError, did_you_mean
from photoclf.files import read_json, write_json
from photoclf.paths import Workspace, find_notebook
from photoclf.placeless import forget_folders


class NotebookError(PhotoclfError):
    """A notebook's cell failed, or a file is no notebook."""


class KernelDiedError(NotebookError):
    """A notebook's kernel died under it, or never started: killed, or out of memory."""


# What IPython itself puts among a notebook's variables.
_CHECKED = "_photoclf_checked_parameters"
# `_`, `_3`, `_i`, `_i3`, `_ih`, `_oh`, `_dh`, `__name__` and the like, and lists and functions.
_OF_IPYTHON = re.compile(r"_+(i{0,3}|i?\d+|[iod]h|exit_code|ipy\w*|session|pydev\w*)|__\w+__?")
_LONGEST_SOCKET_FOLDER = 80
_MADE_BY_IPYTHON = {"In": list, "Out": dict, "exit": object, "quit": object, "open": object}


def check_parameters(variables: dict[str, Any], *expected: str) -> None:
    """Refuse a parameter that the notebook doesn't have.

    papermill only warns about a mistyped name and goes on with the default. Called in the first
    cell after the parameters, this sees every plain value that was set before it. It leaves a note
    among the variables, so that the cell may be run again later.

    Args:
        variables: The notebook's `globals()`.
        expected: The names of its parameters.

    Raises:
        ConfigError: Naming the unknown parameter and the nearest known one.
    """
    if _CHECKED in variables:  # the cell is run again: by now the notebook has names of its own
        return
    for name, value in variables.items():
        made = isinstance(value, _MADE_BY_IPYTHON.get(name, types.NoneType))
        plain = isinstance(value, str | int | float | tuple) or value is None
        hidden = _OF_IPYTHON.fullmatch(name) or (made and not plain)
        code = isinstance(value, types.ModuleType | type) or callable(value)
        if not (hidden or code or name in expected):
            raise ConfigError(
                f"A parameter of this notebook must be one of {', '.join(expected)}."
                f" Received: {name!r}.{did_you_mean(name, expected)}"
            )
    variables[_CHECKED] = expected


def open_workspace(variables: dict[str, Any], *expected: str) -> Workspace:
    """Check a notebook's parameters and return its workspace.

    Args:
        variables: The notebook's `globals()`, which hold the parameter `workspace`, and `split`
            where the notebook has it: a split of a plan to work on, empty for `data/split.csv`.
        expected: The names of its other parameters.

    Returns:
        The workspace; a relative folder is relative to where the notebook runs.

    Raises:
        ConfigError: If a parameter is unknown, `workspace` names no folder, or there is no such
            split.
    """
    check_parameters(variables, "workspace", *expected)
    folder = variables.get("workspace")
    if not folder or not isinstance(folder, str | os.PathLike):
        raise ConfigError(f"`workspace` must be a folder's path. Received: {folder!r}.")
    return Workspace(Path(folder), variables["split"] if "split" in expected else "")


def run_config(variables: Mapping[str, Any]) -> RunConfig:
    """Make the run's config from a notebook's parameters.

    Raises:
        ConfigError: If a value is out of range.
    """
    return RunConfig.from_mapping({k: v for k, v in variables.items() if k in CHOICES})


def execute_notebook(
    name: str,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    log: TextIO | None = None,
) -> None:
    """Run one of the project's notebooks with papermill, in a kernel of its own.

    Args:
        name: Its name, such as `03_train_run`.
        output: Where the executed notebook goes, also when a cell fails. It names no folder of
            this machine.
        parameters: Values for its parameters.
        folder: The folder that the kernel runs in; relative parameters are relative to it.
        log: Where what the cells print goes as well, as it is printed.

    Raises:
        ConfigError: If the notebook has no such parameter, or the notebook refused a value.
        KernelDiedError: If the kernel died.
        NotebookError: If a cell failed; it names the error.
    """
    # Here: papermill takes a second to load, and nobody else who imports this module needs it.
    import papermill
    from papermill.exceptions import PapermillException, PapermillExecutionError

    source = find_notebook(name)
    known = papermill.inspect_notebook(str(source))
    for unknown in (p for p in parameters if p not in known):
        raise ConfigError(
            f"A parameter of {name} must be one of {', '.join(known)}."
            f" Received: {unknown!r}.{did_you_mean(unknown, known)}"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _own_sockets() as config:
            papermill.execute_notebook(
                str(source),
                str(output),
                parameters=dict(parameters),
                cwd=str(folder),
                kernel_name="python3",
                progress_bar=False,
                stdout_file=log,
                stderr_file=log,
                # A kernel that is told to end says so as an error, which frightens for nothing.
                extra_arguments=["--IPKernelApp.log_level=50"],
                request_save_on_cell_execute=False,
                config=config,
            )
    except PapermillExecutionError as error:
        if error.ename == ConfigError.__name__:
            raise ConfigError(error.evalue) from error
        raise NotebookError(
            f"Every cell of {name} must run. Received: {error.ename}: {error.evalue}"
        ) from error
    except (PapermillException, RuntimeError) as error:
        # nbclient says that a kernel died (killed, out of memory) with a RuntimeError.
        raise KernelDiedError(f"The kernel of {name} must live. Received: {error}") from error
    finally:
        _forget_paths(output, folder)


@contextmanager
def _own_sockets() -> Iterator[Any]:
    """Have a kernel talk over sockets of its own where there are any.

    Network ports, and the names that Jupyter gives sockets by default, collide between kernels that
    start at once: one of them never answers. And anyone on the machine may listen to a port.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="photoclf-", ignore_cleanup_errors=True) as folder:
        # A socket's path may have some hundred bytes.
        if os.name == "posix" and len(folder) < _LONGEST_SOCKET_FOLDER:
            yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})
        else:
            yield Config()


def _forget_paths(output: Path, folder: Path) -> None:
    """Leave nothing in an executed notebook that tells of this machine's folders."""
    if not output.is_file():
        return
    notebook = read_json(output)
    notes = notebook["metadata"].get("papermill", {})
    for key in ("input_path", "output_path"):
        notes[key] = Path(notes.get(key) or "").name
    write_json(output, forget_folders(notebook, folder))
