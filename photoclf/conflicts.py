"""Images that are the same, or look it, and have different labels."""

import numpy as np
import pandas as pd

from photoclf.duplicates import MAX_DISTANCE, links_of_equal, near_links
from photoclf.schema import CONFLICTS, check_table


def label_conflicts(audit: pd.DataFrame, max_distance: int = MAX_DISTANCE) -> pd.DataFrame:
    """List the images that are the same, or look it, and have different labels.

    Exact copies under two labels are kept out of the split, since one label is wrong. Images that
    only look alike are for a person to judge: they stay, in one group. Those of one named group
    (renderings of one photograph, say) are meant to be alike, and aren't listed.

    Args:
        audit: A `schema.AUDIT` frame.
        max_distance: Bits by which the perceptual hashes of near duplicates may differ, 0 to 64.

    Returns:
        A `schema.CONFLICTS` frame: `kind` is `exact` or `near`. Of several copies of one image each
        is listed against the first.
    """
    known = audit[audit.status.isin(["used", "duplicate"]) & audit.label.notna()]
    known = known.reset_index(drop=True)
    exact = np.array(links_of_equal(list(known.sha256)), np.int64).reshape(-1, 2)
    one = known[known.status == "used"]
    near = one.index.to_numpy()[near_links(list(one.phash), list(one.detail_hash), max_distance)]
    named = known.named_group.to_numpy()[near]
    near = near[(named[:, 0] == "") | (named[:, 0] != named[:, 1])]
    pairs = np.concatenate([exact, near])
    rows = pd.DataFrame(
        {
            "pathname_a": known.pathname.to_numpy()[pairs[:, 0]],
            "pathname_b": known.pathname.to_numpy()[pairs[:, 1]],
            "label_a": known.label.astype("int64").to_numpy()[pairs[:, 0]],
            "label_b": known.label.astype("int64").to_numpy()[pairs[:, 1]],
            "kind": ["exact"] * len(exact) + ["near"] * len(near),
        }
    )
    return check_table(rows[rows.label_a != rows.label_b], CONFLICTS)
