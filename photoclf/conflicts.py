"""Images that are the same, or look it, and have different labels."""

from collections.abc import Iterable

import pandas as pd

from photoclf.duplicates import MAX_DISTANCE
from photoclf.fingerprints import Fingerprints
from photoclf.schema import CONFLICTS, check_table

COLUMNS = ("pathname", "status", "label", "sha256", "phash", "detail_hash", "named_group")
"""Those of the audit that tell of conflicts."""


def label_conflicts(
    audit: pd.DataFrame | Iterable[pd.DataFrame], max_distance: int = MAX_DISTANCE
) -> pd.DataFrame:
    """List the images that are the same, or look it, and have different labels.

    Exact copies under two labels are kept out of the split, since one label is wrong. Images that
    only look alike are for a person to judge: they stay, in one group. Those of one named group
    (renderings of one photograph, say) are meant to be alike, and aren't listed.

    Args:
        audit: A `schema.AUDIT` frame, or its rows as `tables.read_chunks` gives them, with at least
            `COLUMNS`.
        max_distance: Bits by which the perceptual hashes of near duplicates may differ, 0 to 64.

    Returns:
        A `schema.CONFLICTS` frame: `kind` is `exact` or `near`. Of several copies of one image each
        is listed against the first.
    """
    frames = [audit] if isinstance(audit, pd.DataFrame) else audit
    images = Fingerprints(
        rows[rows.status.isin(["used", "duplicate"]) & rows.label.notna()] for rows in frames
    )
    pairs = {"exact": images.copies, "near": images.near(max_distance)}
    rows = []
    for kind, links in pairs.items():
        for a, b in links[images.labels[links[:, 0]] != images.labels[links[:, 1]]]:
            group = images.groups[a]
            if kind == "exact" or not group or group != images.groups[b]:
                names, labels = images.pathnames, images.labels
                rows.append((names[a], names[b], labels[a], labels[b], kind))
    return check_table(pd.DataFrame(rows, columns=list(CONFLICTS.columns)), CONFLICTS)
