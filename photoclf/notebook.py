"""What every notebook asks of the package first: checked parameters and its workspace."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, did_you_mean
from photoclf.paths import Workspace

# What IPython itself puts among a notebook's variables.
_OF_IPYTHON = {"In", "Out", "exit", "quit", "open", "get_ipython"}


def check_parameters(variables: Mapping[str, Any], *expected: str) -> None:
    """Refuse a parameter that the notebook doesn't have.

    papermill only warns about a mistyped name and goes on with the default. Called in the first
    cell after the parameters, this sees every plain value that was set before it.

    Args:
        variables: The notebook's `globals()`.
        expected: The names of its parameters.

    Raises:
        ConfigError: Naming the unknown parameter and the nearest known one.
    """
    for name, value in variables.items():
        hidden = name.startswith("_") or name in _OF_IPYTHON
        code = isinstance(value, types.ModuleType | type) or callable(value)
        if not (hidden or code or name in expected):
            raise ConfigError(
                f"A parameter of this notebook must be one of {', '.join(expected)}."
                f" Received: {name!r}.{did_you_mean(name, expected)}"
            )


def open_workspace(variables: Mapping[str, Any], *expected: str) -> Workspace:
    """Check a notebook's parameters and return its workspace.

    Args:
        variables: The notebook's `globals()`, which hold the parameter `workspace`.
        expected: The names of its other parameters.

    Returns:
        The workspace; a relative folder is relative to where the notebook runs.

    Raises:
        ConfigError: If a parameter is unknown.
    """
    check_parameters(variables, "workspace", *expected)
    return Workspace(Path(variables["workspace"]))


def run_config(variables: Mapping[str, Any]) -> RunConfig:
    """Make the run's config from a notebook's parameters.

    Raises:
        ConfigError: If a value is out of range.
    """
    names = RunConfig.__dataclass_fields__
    return RunConfig.from_mapping({k: v for k, v in variables.items() if k in names})
