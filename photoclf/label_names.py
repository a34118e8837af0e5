"""Who labels, and with which labels: names that a person gives, checked."""

import getpass
from collections.abc import Sequence
from typing import Any

from photoclf.errors import ConfigError
from photoclf.label_journal import OTHER, PHOTO, UNSURE, WITHDRAWN
from photoclf.manifest import POSITIVE_FOLDER

MOST_CLASSES = 9  # as many as there are digits to press
RESERVED = (PHOTO, OTHER, UNSURE, WITHDRAWN)
"""Labels that no class folder's name may be taken for."""


def check_who(who: Any) -> str:
    """Check the name under which somebody decides.

    Returns:
        The name without spaces around it.

    Raises:
        ConfigError: If it is none.
    """
    name = who.strip() if isinstance(who, str) else ""
    if not name or not name.isprintable() or len(name) > 80:
        raise ConfigError(
            "`who` must be a name on one line, of 80 characters at most. Received:"
            f" {who!r}. It stands beside each decision: write yours."
        )
    return name


def login_name() -> str:
    """Return the name of whoever is logged in, or an empty text where the system tells none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return ""


def check_classes(
    classes: Sequence[str], positive_folder: str = POSITIVE_FOLDER
) -> tuple[str, ...]:
    """Check class folders that are to be labels beside `photo`, `other` and `unsure`.

    Args:
        classes: Their names.
        positive_folder: The class folder of photographs, which `photo` says already.

    Returns:
        The names without spaces around them, each once.

    Raises:
        ConfigError: If one isn't a name or says what another key says, or there are too many.
    """
    names = tuple(dict.fromkeys(name.strip() for name in classes))
    taken = (*RESERVED, positive_folder)
    wrong = [n for n in names if not n or not n.isprintable() or n in taken]
    if wrong or len(names) > MOST_CLASSES:
        raise ConfigError(
            f"`class_folders` must be {MOST_CLASSES} names at most, none of {', '.join(taken)},"
            f" which have a key of their own or are none. Received: {list(classes)}. Leave out"
            " those that nobody has to tell apart."
        )
    return names
