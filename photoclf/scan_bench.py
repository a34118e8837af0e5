"""How fast a folder of many files is listed."""

import os
from pathlib import Path

from photoclf.bench_rounds import Contender
from photoclf.manifest import list_files

FILES = 100_000


def scan_contenders(scratch: Path) -> list[Contender]:
    """List ways to list `FILES` empty files, the barest first.

    Args:
        scratch: A folder to make them in.
    """
    root = scratch / "many"
    for i in range(FILES // 1000):
        folder = root / "Photo" / f"box_{i:03d}"
        folder.mkdir(parents=True)
        for j in range(1000):
            (folder / f"scan_{j:04d}.jpg").touch()
    return [
        Contender("bare os.scandir and stat", lambda: _scan_barely(root)),
        Contender("list_files", lambda: len(list_files(root))),
    ]


def _scan_barely(root: Path) -> int:
    files, folders = 0, [os.fspath(root)]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                entry.stat()
                files += 1
    return files
