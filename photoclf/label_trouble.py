"""What went wrong while somebody labels, in their language; the error itself as a detail."""

import errno
from collections.abc import Iterator

from photoclf.errors import RunError
from photoclf.locks import BusyError
from photoclf.messages import Messages

_BY_NUMBER = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EACCES: "no_right",
    errno.EPERM: "no_right",
    errno.EROFS: "no_right",
}


def tell_trouble(words: Messages, error: BaseException) -> str:
    """Tell an error in a person's language.

    Args:
        words: The language.
        error: What happened; what it came from counts as well.

    Returns:
        What it means and what to do, then the error's own text, which is English.
    """
    kind = next(filter(None, map(_kind, _chain(error))), "unforeseen")
    return words("labelling.trouble", reason=words(f"labelling.trouble_{kind}"), detail=str(error))


def _kind(error: BaseException) -> str:
    if isinstance(error, BusyError):
        return "busy"
    if isinstance(error, RunError):
        return "model"
    return _BY_NUMBER.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
