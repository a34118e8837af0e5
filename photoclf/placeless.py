"""Text and notebooks that tell nothing of the machine's folders."""

import re
import sysconfig
from pathlib import Path
from typing import Any

_NAME = r"""[^\s/\\'"<>:;,()\[\]{}|*?]+"""
_ABSOLUTE = re.compile(
    # Between quotes it may hold spaces; `\\` is how a string's repr writes a backslash.
    r"""(?P<quote>['"])(?:file://)?(?:/(?!/)|\\\\|[A-Za-z]:[/\\])[^'"\n]*[/\\]"""
    r"""(?P<quoted>[^'"\n/\\]+)[/\\]*(?P=quote)"""
    # Not within an address, a relative path, what was shortened already, or a closing tag.
    rf"|(?:\bfile://|(?<![\w.~/:\\<…]))/(?:{_NAME}/)+(?P<posix>{_NAME})"
    rf"|(?<![\w\\])(?:[A-Za-z]:|\\\\{_NAME})(?:[/\\]{{1,2}}{_NAME})*[/\\]{{1,2}}(?P<windows>{_NAME})"
)


def forget_folders(value: Any, folder: Path) -> Any:
    """Give a notebook's folders the names that they have for everybody.

    Args:
        value: What JSON holds. Pictures stay as they are.
        folder: What becomes `.`.

    Returns:
        The same with `.` for the folder, `~` for the home folder, and `photoclf`, `site-packages`
        and `python` for where code lies, as tracebacks name it.
    """
    package = Path(__file__).parent
    told = {
        str(folder.resolve()): ".",
        str(package): package.name,
        sysconfig.get_path("purelib"): "site-packages",
        sysconfig.get_path("stdlib"): "python",
        str(Path.home()): "~",
    }
    told = {place: name for place, name in told.items() if len(place) > 1}
    # The longer first: one may lie in the other.
    return _renamed(value, sorted(told.items(), key=lambda pair: -len(pair[0])))


def forget_paths(text: str) -> str:
    """Leave of each absolute path its last name, whatever machine it is from.

    Args:
        text: As people read it, not HTML. Addresses and relative paths stay as they are.

    Example:
        >>> forget_paths("read '/home/Anna B/box 1/a.png', then D:/scans/b.tif")
        "read '…/a.png', then …/b.tif"
    """
    return _ABSOLUTE.sub(_last_name, text)


def _last_name(found: re.Match) -> str:
    quote = found["quote"] or ""
    return f"{quote}…/{found['quoted'] or found['posix'] or found['windows']}{quote}"


def _renamed(value: Any, names: list[tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        # Not in pictures, where a path could stand by chance among their letters.
        return {k: v if k.startswith("image/") else _renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if isinstance(value, str):
        for place, name in names:
            value = value.replace(place, name)
    return value
