"""Labels that were merged and that nobody stands by any more: what the manifest then says."""

from collections.abc import Collection, Mapping

import pandas as pd

from photoclf.label_agreement import photo_or_not
from photoclf.label_journal import WITHDRAWN
from photoclf.listing import class_folder, why_ignored
from photoclf.manifest import IGNORED_FOLDERS

UNDONE = ("pathname", "label", "back")

UNNAMED = -1
"""In the place of a label: the manifest doesn't name the file."""


def once_agreed(
    rows: pd.DataFrame, contents: Collection[str], positive_folder: str
) -> dict[str, set[int]]:
    """Find the labels that people agreed on at some time, and so may have merged.

    Args:
        rows: A `schema.JOURNAL` frame of all decisions, in their order.
        contents: SHA-256 of those that are asked for.
        positive_folder: The class folder that holds photographs.

    Returns:
        SHA-256 → labels, 1 (photo) or 0; those on which nobody ever agreed are left out.
    """
    rows = rows[rows.sha256.isin(set(contents))]
    standing: dict[str, dict[str, int]] = {}
    agreed: dict[str, set[int]] = {}
    values = photo_or_not(rows.label, positive_folder).fillna(-1)
    for who, sha256, label, value in zip(rows.who, rows.sha256, rows.label, values, strict=True):
        said = standing.setdefault(sha256, {})
        said[who] = int(value)
        if label == WITHDRAWN:
            del said[who]
        kinds = set(said.values()) - {-1}
        if len(kinds) == 1:
            agreed.setdefault(sha256, set()).update(kinds)
    return agreed


def undone_labels(
    files: Mapping[str, set[int]],
    labels: pd.Series,
    before: pd.Series | None,
    positive_folder: str,
) -> pd.DataFrame:
    """Say what the manifest said of files before people labelled them.

    A label is put back only where nothing else can be meant: the manifest of before the last merge
    says another one, and so does the class folder; or the file is in no class folder, and what the
    manifest said isn't what people once agreed on.

    Args:
        files: Pathname → what people once agreed on, of files on which nobody does by now.
        labels: The manifest's labels by pathname.
        before: Those of before the last merge; None where they aren't known, or where somebody
            edited the manifest after that merge.
        positive_folder: The class folder that holds photographs.

    Returns:
        One row a file whose label is one that people once agreed on and isn't that of its class
        folder: `pathname`, its `label` and what it goes `back` to, `UNNAMED` for a file that the
        manifest didn't name, NA where it isn't known.
    """
    sorted_by_class = positive_folder in set(labels.index.map(class_folder))
    rows = []
    for name, agreed in sorted(files.items()):
        now = int(labels.get(name, UNNAMED))
        folder = None
        if sorted_by_class and not why_ignored(name, IGNORED_FOLDERS):
            folder = int(class_folder(name) == positive_folder)
        if now not in agreed or now == folder:
            continue
        was = now if before is None else int(before.get(name, UNNAMED))
        known = was != now and (was == folder if folder is not None else was not in agreed)
        rows.append((name, now, was if known else pd.NA))
    return pd.DataFrame(rows, columns=list(UNDONE)).astype({"label": "int64", "back": "Int64"})
