"""Audits of drawn archives, as frames."""

import tempfile
from pathlib import Path

import pandas as pd

from photoclf.audit import audit_images
from photoclf.schema import AUDIT
from photoclf.tables import read_table


def audited(archive: Path, manifest: pd.DataFrame | None = None, **options) -> pd.DataFrame:
    """Audit an archive into a file that is read back and forgotten."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "audit.csv"
        audit_images(archive, manifest, out=out, **options)
        return read_table(out, AUDIT)
