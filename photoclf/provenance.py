"""Where a run comes from: code, data, processor and versions, and nothing about its user."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from photoclf.files import sha256_file

LOCKS = ("uv.lock", "requirements.lock.txt")
# What can change a weight or a pixel. TensorFlow comes under one of two names.
DISTRIBUTIONS = (
    "photoclf",
    "numpy",
    "pandas",
    "scikit-learn",
    "pillow",
    "simplejpeg",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "tensorboard",
    "ai-edge-litert",
)
# The instruction sets that numeric kernels choose between, and so the last bits of a result.
FEATURES = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16", "i8mm")


def collect_provenance(
    *,
    split_hash: str,
    manifest_hash: str,
    seed: int,
    threads: int | None,
    weights: dict[str, Any] | None = None,
    pieces: Sequence[str] = (),
    repository: Path | None = None,
) -> dict[str, Any]:
    """Collect what a run's result depends on.

    Args:
        split_hash: Of the split that the run trains on.
        manifest_hash: SHA-256 of the manifest file that the split was made from.
        seed: The run's seed.
        threads: Processor threads that the run may use; `None` for all.
        weights: Where the pretrained weights come from, see `pretrained.weights_facts`; `None`
            when training starts from random ones.
        pieces: How the pieces of training images are drawn, see `views.piece_keys`.
        repository: The checkout whose commit and lock are recorded; the one this package lies in
            by default.

    Returns:
        What JSON takes: `started_at` (UTC), `commit` and `dirty` (`None` outside git; dirty when
        a file was changed or added since the commit), `lock_hash` (`None` without a lock file),
        `split_hash`, `manifest_hash`, `seed`, `threads`, `weights`, `pieces`, `cpu` (`model`,
        `machine`, `features`, `count`), `system` and `versions`. No host name, no user name, no
        path.
    """
    repository = _checkout() if repository is None else Path(repository)
    commit, dirty = _commit(repository)
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "dirty": dirty,
        "lock_hash": _lock_hash(repository),
        "split_hash": split_hash,
        "manifest_hash": manifest_hash,
        "seed": seed,
        "threads": threads,
        "weights": weights,
        "pieces": list(pieces),
        "cpu": cpu_facts(),
        "system": platform.system(),
        "versions": versions(),
    }


def _checkout() -> Path | None:
    # An installed package may lie in the virtual environment of some other repository, whose
    # commit would say nothing about it.
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").is_file() else None


def _commit(repository: Path | None) -> tuple[str | None, bool | None]:
    commit = _git(repository, "rev-parse", "--verify", "HEAD")
    status = _git(repository, "status", "--porcelain") if commit else None
    return commit or None, None if status is None else bool(status)


def _git(repository: Path | None, *arguments: str) -> str | None:
    if repository is None:
        return None
    # Inside a git hook these variables would point to the hook's repository instead.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
            check=True,
        )
    except (
        OSError,
        subprocess.SubprocessError,
    ):  # no git, no repository, no commit yet
        return None
    return result.stdout.strip()


def _lock_hash(repository: Path | None) -> str | None:
    locks = [] if repository is None else [repository / name for name in LOCKS]
    return next((sha256_file(lock) for lock in locks if lock.is_file()), None)


def cpu_facts() -> dict[str, Any]:
    """Tell a processor's `model`, `machine`, `features` that kernels choose by, and `count`."""
    lines = _cpuinfo()
    flags = lines.get("flags", lines.get("Features", "")).split()
    return {
        "model": lines.get("model name") or platform.processor() or "unknown",
        "machine": platform.machine(),
        "features": sorted(flag for flag in flags if flag.startswith(FEATURES)),
        "count": os.cpu_count(),
    }


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # macOS and Windows have none
        return {}
    # The first processor is enough; the others are its twins.
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def versions() -> dict[str, str]:
    """Tell the versions of Python and of `DISTRIBUTIONS`, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
