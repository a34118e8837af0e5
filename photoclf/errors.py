"""The errors a user can mend: each says what must hold, what was received and what to do."""

import difflib
from collections.abc import Iterable


class PhotoclfError(Exception):
    """An expected failure, told in one sentence, without a traceback on the command line."""

    exit_code = 1


class ConfigError(PhotoclfError, ValueError):
    """A parameter is unknown or its value is out of range."""

    exit_code = 2


class ArchiveError(PhotoclfError):
    """The archive is missing, empty, unreadable or has no class to learn."""


class TableError(PhotoclfError, ValueError):
    """A table is missing, or lacks columns, or has others, or names files that are gone."""


class SplitError(PhotoclfError):
    """A split can't be made, leaks, or isn't the one that a run was trained on."""


class RunError(PhotoclfError):
    """A run folder is missing, unfinished, or not what it was when it was written."""


class WeightsError(PhotoclfError):
    """Pretrained weights are missing, or not what their publisher put out."""


def did_you_mean(received: object, allowed: Iterable[str]) -> str:
    """Suggest the nearest allowed name.

    Args:
        received: What was given.
        allowed: The names that would have been right.

    Returns:
        `" Did you mean 'val'?"`, or an empty string when nothing is near.
    """
    near = difflib.get_close_matches(str(received), list(allowed), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def check_one_of(what: str, received: object, allowed: Iterable[str]) -> str:
    """Check that a name is one of those that are allowed.

    Raises:
        ConfigError: Naming what was received and the nearest right name.
    """
    allowed = tuple(allowed)
    if not isinstance(received, str) or received not in allowed:
        raise ConfigError(
            f"`{what}` must be one of {allowed}. Received: {received!r}."
            f"{did_you_mean(received, allowed)}"
        )
    return received


def check_whole(what: str, received: object, low: int, high: int) -> int:
    """Check that a number is whole and in its range.

    Raises:
        ConfigError: Telling the range and what was received.
    """
    if type(received) is not int or not low <= received <= high:  # True is an int as well
        raise ConfigError(
            f"`{what}` must be a whole number from {low} to {high}, written without a point."
            f" Received: {received!r}."
        )
    return received
