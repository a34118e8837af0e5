"""What audit and cache keep in memory of each file; both must get along with millions."""

import gc
import hashlib
import tracemalloc

import pandas as pd
import pytest

from photoclf import audit as audit_module
from photoclf import cache as cache_module
from photoclf import file_list, placing, spool, tables
from photoclf import predict as predict_module
from photoclf.audit import audit_images
from photoclf.cache import build_cache
from photoclf.file_list import Source
from photoclf.known_rows import MEASURED
from photoclf.predict import predict_files
from photoclf.quality import MEASURED_BY, QUALITY

FEW, MANY = 500, 1_500


def measured(name):
    digest = hashlib.sha256(name.encode())
    texts = {"sha256": digest.hexdigest(), "phash": digest.hexdigest()[:16], "format": "JPEG"}
    texts |= {"detail_hash": digest.hexdigest()[16:32], "mode": "RGB", "measured_by": MEASURED_BY}
    numbers = {"width": 600 + digest.digest()[0], "height": 400, "exif_orientation": 1, "exif": 0}
    scores = {score: digest.digest()[1] / 256 for score in QUALITY}
    return dict.fromkeys(MEASURED, "") | {"status": "used"} | texts | numbers | scores


def listed(files):
    return ((f"Photo/box_{i // 100:04d}/scan_{i:06d}.jpg", 7, i, "") for i in range(files))


@pytest.fixture(autouse=True)
def _many_chunks(monkeypatch):
    """Chunks so small that what they take is the same with few files and with many."""
    for module in (audit_module, tables):
        monkeypatch.setattr(module, "CHUNK_ROWS", 250)
    monkeypatch.setattr(spool, "_BATCH", 100)


def bytes_a_file(work):
    """Measure how much higher memory rises with many files than with few."""
    peaks = []
    for files in (FEW, MANY):
        work(files)  # imports and caches, and what a second time finds
        # The least of three: now and then Python lays a table of its own out anew (interned names).
        peaks.append(min(_peak(work, files) for _ in range(3)))
    return (peaks[1] - peaks[0]) / (MANY - FEW)


def _peak(work, files):
    gc.collect()
    tracemalloc.start()
    work(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("known_from", ["nothing", "table", "journal"])
def test_an_audit_keeps_some_hundred_bytes_of_a_file(tmp_path, monkeypatch, known_from):
    monkeypatch.setattr(audit_module, "examine_file", lambda path: measured(path.name))

    def audit(files):
        monkeypatch.setattr(placing, "walk_files", lambda _: listed(files))
        table, journal = tmp_path / f"{files}.csv", tmp_path / f"{files}.journal"
        known = {"table": {"previous": table}, "journal": {"journal": journal}}
        counts = audit_images(tmp_path, out=table, workers=0, **known.get(known_from, {}))
        assert counts.files.tolist() == [files]

    assert bytes_a_file(audit) < 400


def test_a_cache_keeps_some_hundred_bytes_of_an_image(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "decode_packed", lambda item, **_: bytes(4 * 4 * 3))

    def chunks(files):
        names = [name for name, *_ in listed(files)]
        for i in range(0, files, 250):
            part = names[i : i + 250]
            hashes = [measured(name)["sha256"] for name in part]
            yield pd.DataFrame({"pathname": part, "sha256": hashes})

    def cache(files):
        built = build_cache(
            tmp_path, chunks(files), tmp_path / "cache", image_size=4, fit="squash", workers=0
        )
        assert len(built.pathnames) == files

    assert bytes_a_file(cache) < 400


def test_predicting_keeps_nothing_of_a_file(tmp_path, monkeypatch, bright_run):
    monkeypatch.setattr(predict_module, "score_file", lambda path, model: 0.7)
    monkeypatch.setattr(spool, "_BATCH", 100)
    (tmp_path / "archive").mkdir()

    def predict(files):
        monkeypatch.setattr(file_list, "walk_files", lambda _: listed(files))
        out = tmp_path / f"{files}.csv"
        predict_files(Source(tmp_path / "archive"), bright_run, out, workers=0)
        for path in tmp_path.glob(f"{files}.csv*"):
            path.unlink()

    assert bytes_a_file(predict) < 20
