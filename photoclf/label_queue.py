"""The order in which people look at images: a queue for labelling."""

from pathlib import Path

import pandas as pd

from photoclf.paths import Workspace


def make_queue(
    workspace: Workspace,
    *,
    by: str,
    images: int = 10_000,
    seed: int = 42,
    predictions: Path | None = None,
) -> pd.DataFrame:
    """Queue the images of a workspace for people to label."""
    raise NotImplementedError
