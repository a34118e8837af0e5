import io
import json
import os
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoclf import audit as audit_module
from photoclf import placing, quality, spool, tables
from photoclf.audit import audit_images, check_ledger, ledger
from photoclf.errors import TableError
from photoclf.manifest import scan_archive
from photoclf.schema import AUDIT, STATUSES
from photoclf.tables import read_table, write_table
from photoclf.workers import Lost
from tests.audits import audited

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or names")
ANY_BYTES = pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any byte")


def picture(seed: int, size=(96, 72)) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def put(root, name, content=None, seed=None):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(picture(seed)) if content is None else content)
    return path


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for i in range(4):
        put(root, f"Photo/{i}.png", seed=i)
        put(root, f"Plans/box/{i}.png", seed=10 + i)
    return root


@pytest.fixture
def reads(monkeypatch):
    """Count the files that are opened."""
    counts = Counter()
    real = quality.read_bytes

    def counted(path):
        counts[os.path.basename(path)] += 1
        return real(path)

    monkeypatch.setattr(quality, "read_bytes", counted)
    return counts


def run(archive, **options):
    # In this process unless told otherwise: it is faster, and what tests replace is replaced here.
    return audited(archive, scan_archive(archive), **{"workers": 0, **options})


def written(audit, folder):
    """Write an audit, to be the previous one."""
    write_table(audit, folder / "previous.csv", AUDIT)
    return folder / "previous.csv"


def row(audit, pathname):
    return audit.set_index("pathname").loc[pathname]


def test_every_file_has_one_row_with_its_class_source_and_measures(archive):
    audit = run(archive)
    assert audit.pathname.tolist() == sorted(audit.pathname)
    assert {c: str(d) for c, d in audit.dtypes.items()} == AUDIT.columns
    plan = row(audit, "Plans/box/0.png")
    assert (plan.class_folder, plan.source, plan.label, plan.status) == ("Plans", "box", 0, "used")
    assert (plan.format, plan["mode"], plan.width, plan.height) == ("PNG", "RGB", 96, 72)
    assert len(plan.sha256) == 64
    assert len(plan.phash) == 16
    assert plan.bytes == (archive / "Plans/box/0.png").stat().st_size
    assert audit.group.tolist() == audit.pathname.tolist()  # nothing alike: each its own group


def test_an_empty_archive_has_an_empty_audit(tmp_path):
    audit = audited(tmp_path)
    assert len(audit) == 0
    assert {c: str(d) for c, d in audit.dtypes.items()} == AUDIT.columns
    assert len(ledger(audit)) == 0


def test_an_archive_with_nothing_readable_is_audited(tmp_path):
    put(tmp_path, "Photo/a.jpg", b"no image")
    put(tmp_path, "Plans/b.jpg", b"")
    assert run(tmp_path).status.tolist() == ["not_an_image", "unreadable"]


def test_each_trouble_has_its_status_and_reason(archive):
    half = png(picture(50))
    put(archive, "Photo/half.png", half[: len(half) // 2])
    put(archive, "Photo/empty.jpg", b"")
    put(archive, "Photo/page.jpg", b"<html><body>404</body></html>")
    put(archive, "Photo/notes.txt", b"text")
    put(archive, "Photo/copy.png", (archive / "Photo/0.png").read_bytes())
    put(archive, "Photo/desktop.ini", b"[x]")
    put(archive, "Dataset_L2/old.png", seed=60)
    put(archive, "loose.png", seed=61)
    audit = run(archive)
    found = dict(zip(audit.pathname, audit.status + " " + audit.reason, strict=True))
    assert {k: v for k, v in found.items() if v != "used "} == {
        "Photo/half.png": "unreadable truncated",
        "Photo/empty.jpg": "unreadable empty_file",
        "Photo/page.jpg": "not_an_image not_an_image",
        "Photo/notes.txt": "not_an_image not_an_image",
        "Photo/copy.png": "duplicate same_bytes",
        "Photo/desktop.ini": "ignored system_file",
        "Dataset_L2/old.png": "ignored ignored_folder",
        "loose.png": "ignored no_class_folder",
    }
    # Unreadable images are no duplicates of one another.
    assert audit[audit.status == "unreadable"].duplicate_of.tolist() == ["", ""]


@POSIX
def test_pipes_links_and_loops_are_in_the_ledger_and_stop_nothing(archive):
    os.mkfifo(archive / "Photo" / "pipe.jpg")
    (archive / "Photo" / "broken.jpg").symlink_to("gone.jpg")
    (archive / "Photo" / "self.jpg").symlink_to("self.jpg")
    (archive / "Photo" / "up").symlink_to(archive)
    audit = run(archive)
    assert len(audit) == 12
    assert row(audit, "Photo/pipe.jpg")[["status", "reason"]].tolist() == [
        "not_an_image",
        "special_file",
    ]
    assert row(audit, "Photo/broken.jpg").status == "unreadable"
    assert row(audit, "Photo/self.jpg").status == "unreadable"
    assert row(audit, "Photo/up")[["status", "reason"]].tolist() == ["ignored", "link_to_folder"]


@ANY_BYTES
def test_names_of_any_bytes_are_audited_written_and_read_back(archive, tmp_path):
    odd = [b"\xff.png", b"a\nb.png", b'q";<script>.png', b"\r.png", b"n" * 251 + b".png"]
    for i, name in enumerate(odd):
        put(archive, "Photo/" + os.fsdecode(name), seed=70 + i)
    put(archive, os.fsdecode(b"\xe9cran/x.png"), seed=80)
    audit = run(archive, journal=tmp_path / "journal")
    assert (audit.status == "used").all()
    write_table(audit, tmp_path / "audit.csv", AUDIT)
    again = read_table(tmp_path / "audit.csv", AUDIT)
    pd.testing.assert_frame_equal(again, audit)
    for name in odd:
        assert (archive / "Photo" / os.fsdecode(name)).exists()
        assert "Photo/" + os.fsdecode(name) in set(again.pathname)


def test_a_file_that_goes_while_the_audit_runs_is_vanished(archive, monkeypatch):
    real = placing.walk_files

    def list_then_remove(root):
        yield from real(root)
        (archive / "Photo/1.png").unlink(missing_ok=True)

    manifest = scan_archive(archive)
    monkeypatch.setattr(placing, "walk_files", list_then_remove)
    gone = row(audited(archive, manifest), "Photo/1.png")
    assert (gone.status, gone.reason) == ("unreadable", "vanished")


def test_nothing_in_the_archive_is_changed(archive):
    def state():
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in archive.rglob("*.png")}

    before = state()
    run(archive)
    assert state() == before


# Going on where it was


def test_a_second_audit_reads_nothing_and_gives_the_same_table(archive, tmp_path, reads):
    put(archive, "Photo/copy.png", (archive / "Photo/0.png").read_bytes())
    put(archive, "Photo/bad.jpg", b"no image")
    put(archive, "Plans/conflict.png", (archive / "Photo/2.png").read_bytes())
    first = run(archive)
    assert sum(reads.values()) == len(first)
    write_table(first, tmp_path / "audit.csv", AUDIT)
    reads.clear()
    second = run(archive, previous=tmp_path / "audit.csv")
    assert not reads
    pd.testing.assert_frame_equal(second, first)


def test_a_changed_file_is_read_again_and_only_that_one(archive, tmp_path, reads):
    first = run(archive)
    put(archive, "Photo/0.png", seed=99)
    reads.clear()
    second = run(archive, previous=written(first, tmp_path))
    assert reads == {"0.png": 1}
    assert row(second, "Photo/0.png").sha256 != row(first, "Photo/0.png").sha256


def test_a_file_of_the_same_size_and_another_time_is_read_again(archive, tmp_path, reads):
    first = run(archive)
    os.utime(archive / "Photo/0.png", ns=(1, 1))
    reads.clear()
    run(archive, previous=written(first, tmp_path))
    assert reads == {"0.png": 1}


def test_when_the_original_goes_its_copy_is_used_without_being_read(archive, tmp_path, reads):
    put(archive, "Photo/9.png", (archive / "Photo/0.png").read_bytes())
    first = run(archive)
    assert row(first, "Photo/9.png").duplicate_of == "Photo/0.png"
    (archive / "Photo/0.png").unlink()
    reads.clear()
    second = run(archive, previous=written(first, tmp_path))
    copy = row(second, "Photo/9.png")
    assert (copy.status, copy.reason, copy.duplicate_of) == ("used", "", "")
    assert copy.group == "Photo/9.png"
    assert not reads


def test_files_measured_by_another_version_are_measured_again(archive, tmp_path, reads):
    first = run(archive)
    reads.clear()
    old = first.assign(measured_by="1.1", dark=0.123)
    pd.testing.assert_frame_equal(run(archive, previous=written(old, tmp_path)), first)
    assert sum(reads.values()) == len(first)
    facts = (archive / "Photo/0.png").stat()
    note = [["Photo/0.png", facts.st_size, facts.st_mtime_ns], {"measured_by": "1.1", "dark": 0.1}]
    (tmp_path / "journal").write_text(json.dumps(note) + "\n")
    pd.testing.assert_frame_equal(run(archive, journal=tmp_path / "journal"), first)


@pytest.mark.parametrize("reason", ["decoder_crashed", "timed_out", "too_much_memory"])
def test_a_file_that_no_worker_survives_costs_its_row_and_no_more(
    archive, tmp_path, monkeypatch, reason
):
    tried = []

    def hostile(function, paths, **_):
        for path in paths:
            tried.append(path)
            yield Lost(reason) if path.name == "1.png" else function(path)

    monkeypatch.setattr(audit_module, "isolated_map", hostile)
    audit = run(archive)
    lost = audit[audit.reason == reason]
    assert lost.pathname.tolist() == ["Photo/1.png", "Plans/box/1.png"]
    assert set(lost.status) == {"unreadable"}
    assert (audit.status == "used").sum() == len(audit) - 2
    tried.clear()
    run(archive, previous=written(audit, tmp_path))
    # A slow disk may have been to blame, so time is given again; the others would only crash again.
    assert len(tried) == (2 if reason == "timed_out" else 0)


class KilledError(Exception):
    pass


def kill_after(monkeypatch, n):
    real = audit_module.examine_file
    seen = []

    def examine(path):
        seen.append(path)
        if len(seen) > n:
            raise KilledError
        return real(path)

    monkeypatch.setattr(audit_module, "examine_file", examine)


@pytest.mark.parametrize(
    "torn", [b"", b'[["Photo/3.png", 12', b"\x00\x00\x00", b"\xff\xfe[", b"\n\n"]
)
def test_a_killed_audit_goes_on_and_gives_the_table_of_an_unbroken_one(
    archive, tmp_path, monkeypatch, torn
):
    expected = run(archive)
    journal = tmp_path / "data" / "journal"
    with monkeypatch.context() as patch:
        kill_after(patch, 5)
        with pytest.raises(KilledError):
            run(archive, journal=journal)
    noted = [line for line in journal.read_bytes().splitlines() if line]
    assert len(noted) == 5
    with open(journal, "ab") as file:
        file.write(torn)
    reads = Counter()
    real = audit_module.examine_file
    monkeypatch.setattr(audit_module, "examine_file", lambda p: reads.update([p.name]) or real(p))
    pd.testing.assert_frame_equal(run(archive, journal=journal), expected)
    assert sum(reads.values()) == len(expected) - 5


def test_an_audit_killed_twice_loses_nothing_to_the_half_line(archive, tmp_path, monkeypatch):
    journal = tmp_path / "journal"
    for killed_after in (2, 3):
        with monkeypatch.context() as patch:
            kill_after(patch, killed_after)
            with pytest.raises(KilledError):
                run(archive, journal=journal)
        with open(journal, "ab") as file:
            file.write(b'[["Photo/0.png", 1')
    kill_after(monkeypatch, 3)  # 2 + 3 are known, so 3 of 8 are left
    assert len(run(archive, journal=journal)) == 8


def test_each_row_is_on_disk_before_the_next_one_is_asked_for(archive, tmp_path, monkeypatch):
    journal = tmp_path / "journal"
    lines = []
    bar = audit_module.tqdm

    def watched(results, **options):
        for result in bar(results, **options):
            lines.append(len([x for x in journal.read_text().splitlines() if x]))
            yield result

    monkeypatch.setattr(audit_module, "tqdm", watched)
    run(archive, journal=journal)
    assert lines == list(range(8))


def test_a_journal_of_a_changed_file_is_not_believed(archive, tmp_path):
    facts = (archive / "Photo/0.png").stat()
    lie = {"status": "unreadable", "reason": "corrupt", "sha256": "0" * 64}
    old = ["Photo/0.png", facts.st_size, facts.st_mtime_ns - 1]
    (tmp_path / "journal").write_text(json.dumps([old, lie]) + "\n")
    assert row(run(archive, journal=tmp_path / "journal"), "Photo/0.png").status == "used"


def test_the_number_of_threads_changes_nothing(archive):
    put(archive, "Photo/copy.png", (archive / "Photo/0.png").read_bytes())
    pd.testing.assert_frame_equal(run(archive, workers=1), run(archive, workers=7))


def test_a_table_is_the_same_however_few_of_its_rows_are_in_memory(archive, tmp_path, monkeypatch):
    put(archive, "Photo/copy.png", (archive / "Photo/0.png").read_bytes())
    put(archive, "Plans/conflict.png", (archive / "Photo/2.png").read_bytes())
    put(archive, "Plans/empty.png", b"")
    put(archive, "Photo_2/other.png", seed=90)
    (archive / "groups.csv").write_text("pathname;group\nPlans/box/1.png;a\nPhoto/3.png;a\n")
    options = {"workers": 0, "journal": tmp_path / "journal"}
    audit_images(archive, scan_archive(archive), out=tmp_path / "whole.csv", **options)
    monkeypatch.setattr(audit_module, "CHUNK_ROWS", 2)
    monkeypatch.setattr(tables, "CHUNK_ROWS", 3)
    monkeypatch.setattr(spool, "_BATCH", 2)
    for known in ({"previous": tmp_path / "whole.csv"}, {"journal": tmp_path / "journal"}, {}):
        out = tmp_path / "chunks.csv"
        audit_images(archive, scan_archive(archive), out=out, workers=0, **known)
        assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_damaged_earlier_table_is_believed_as_far_as_it_can_be_read(archive, tmp_path, reads):
    first = run(archive)
    whole = written(first, tmp_path).read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "previous.csv").write_text("".join([*lines[:4], "1;2;3\n", *lines[4:]]))
    reads.clear()
    pd.testing.assert_frame_equal(run(archive, previous=tmp_path / "previous.csv"), first)
    assert sum(reads.values()) <= 8


def test_an_earlier_table_in_another_order_makes_no_wrong_row(archive, tmp_path):
    first = run(archive)
    previous = written(first.sample(frac=1, random_state=1), tmp_path)
    pd.testing.assert_frame_equal(run(archive, previous=previous), first)


def test_a_manifest_in_another_order_gives_the_same_labels(archive):
    manifest = scan_archive(archive)
    shuffled = manifest.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(audited(archive, shuffled, workers=0), run(archive))


# Duplicates and groups


def test_equal_bytes_are_one_used_image_and_its_duplicates(archive):
    data = (archive / "Photo/1.png").read_bytes()
    put(archive, "Photo/0_first.png", data)
    put(archive, "Photo/z.png", data)
    audit = run(archive)
    copies = audit[audit.sha256 == row(audit, "Photo/1.png").sha256]
    assert copies.status.tolist() == ["used", "duplicate", "duplicate"]
    assert copies.duplicate_of.tolist() == ["", "Photo/0_first.png", "Photo/0_first.png"]
    assert set(copies.group) == {"Photo/0_first.png"}
    assert not copies.label_conflict.any()


def test_equal_bytes_under_both_labels_are_a_conflict_on_every_copy(archive):
    put(archive, "Plans/box/x.png", (archive / "Photo/1.png").read_bytes())
    audit = run(archive)
    assert audit[audit.label_conflict].pathname.tolist() == ["Photo/1.png", "Plans/box/x.png"]
    assert row(audit, "Plans/box/x.png").status == "duplicate"


def test_without_labels_there_is_no_conflict_and_all_files_are_examined(archive):
    put(archive, "Plans/box/x.png", (archive / "Photo/1.png").read_bytes())
    put(archive, "loose.png", seed=40)
    audit = audited(archive)
    assert not audit.label_conflict.any()
    assert audit.label.isna().all()
    assert row(audit, "loose.png").status == "used"


def test_the_same_picture_saved_otherwise_is_in_one_group_and_still_used(archive):
    again = picture(0, (96, 72)).resize((80, 60))
    file = io.BytesIO()
    again.save(file, "JPEG", quality=85)
    put(archive, "Plans/rescan.jpg", file.getvalue())
    audit = run(archive)
    assert row(audit, "Plans/rescan.jpg").status == "used"
    assert row(audit, "Plans/rescan.jpg").group == "Photo/0.png"
    alone = run(archive, max_distance=0)
    assert len(set(alone.group)) >= len(set(audit.group))


def test_blank_pages_are_not_chained_into_one_group(archive):
    for i, grey in enumerate((255, 250, 245)):
        noise = np.random.default_rng(i).normal(grey, 1.5, (60, 80, 3)).clip(0, 255)
        put(archive, f"Texte/blank{i}.png", png(Image.fromarray(noise.astype(np.uint8))))
    audit = run(archive)
    blank = audit[audit.class_folder == "Texte"]
    assert blank.phash.tolist() == [""] * 3
    assert blank.group.tolist() == blank.pathname.tolist()


def test_a_groups_file_keeps_its_images_together(archive):
    rows = (
        "Photo/0.png;album\nPhoto/2.png;album\nPlans/box/1.png;album\nPhoto/1.png;\nPhoto/3.png;\n"
    )
    (archive / "groups.csv").write_bytes(b"\xef\xbb\xbf" + b"pathname;group\r\n" + rows.encode())
    audit = run(archive)
    assert set(audit[audit.group == "Photo/0.png"].pathname) == {
        "Photo/0.png",
        "Photo/2.png",
        "Plans/box/1.png",
    }
    assert row(audit, "Photo/1.png").group != row(audit, "Photo/3.png").group
    assert row(audit, "groups.csv").status == "ignored"


@ANY_BYTES
def test_a_groups_file_may_name_files_that_are_not_utf8(archive):
    put(archive, os.fsdecode(b"Photo/\xff.png"), seed=30)
    (archive / "groups.csv").write_text("pathname;group\nPhoto/\\udcff.png;a\nPhoto/0.png;a\n")
    assert row(run(archive), os.fsdecode(b"Photo/\xff.png")).group == "Photo/0.png"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("name;group\nPhoto/0.png;a\n", "pathname;group"),
        ("pathname;group\nPhoto\\0.png;a\n", "gone"),
        ("pathname;group\nphoto/0.PNG;a\n", "gone"),
        ("pathname;group\nPhoto/0.png;a\nPhoto/0.png;b\n", "twice"),
        ("", "groups file"),
    ],
)
def test_a_groups_file_that_would_be_misunderstood_is_refused(archive, reads, content, what):
    (archive / "groups.csv").write_text(content)
    with pytest.raises(TableError, match=what):
        run(archive)
    assert not reads  # before hours of reading, not after


def test_a_manifest_that_names_lost_files_is_refused_before_anything_is_read(archive, reads):
    manifest = scan_archive(archive)
    (archive / "Photo/2.png").unlink()
    with pytest.raises(TableError, match=r"1 of 8 gone, first 'Photo/2.png'"):
        audited(archive, manifest)
    assert not reads


def test_a_file_that_the_manifest_does_not_name_is_ignored(archive):
    manifest = scan_archive(archive)
    audit = audited(archive, manifest[manifest.pathname != "Photo/2.png"])
    assert row(audit, "Photo/2.png")[["status", "reason"]].tolist() == [
        "ignored",
        "not_in_manifest",
    ]


# The ledger


FILES = st.sampled_from(
    [b"", b"<html>", b"GIF89a", png(picture(1)), png(picture(2)), png(picture(3))[:200]]
)
NAMES = st.sampled_from(
    ["a.png", "b.jpg", "c.ini", ".d", "Thumbs.db", "box/e.png", "box/deep/f.tif", "é ;.png"]
)
FOLDERS = st.sampled_from(["Photo", "Plans", "Photo_2", "Dataset_L2", "."])


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.tuples(FOLDERS, NAMES), FILES, max_size=12))
def test_the_statuses_add_up_to_the_files_of_any_tree(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    put(root, "Photo/always.png", seed=1)
    put(root, "Plans/always.png", seed=2)
    for (folder, name), content in tree.items():
        put(root, f"{folder}/{name}", content)
    n_files = sum(len(files) for _, _, files in os.walk(root))
    for audit in (run(root), audited(root, workers=0)):
        counts = ledger(audit)
        assert counts.files.sum() == len(audit) == n_files
        assert set(counts.status) <= set(STATUSES)
        assert (audit.duplicate_of[audit.status == "duplicate"] != "").all()
        used = audit[audit.status == "used"]
        assert used.sha256.is_unique
        assert set(used.group) <= set(audit.pathname)


def test_the_ledger_is_ordered_by_status_and_counts_reasons(archive):
    put(archive, "Photo/e1.jpg", b"")
    put(archive, "Photo/e2.jpg", b"")
    put(archive, "Photo/t.jpg", b"text")
    put(archive, "Photo/x.ini", b"")
    assert ledger(run(archive)).to_numpy().tolist() == [
        ["used", "", 8],
        ["unreadable", "empty_file", 2],
        ["not_an_image", "not_an_image", 1],
        ["ignored", "system_file", 1],
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda counts: counts.iloc[1:],
        lambda counts: pd.concat([counts, counts.iloc[1:2]]),
        lambda counts: counts.assign(status="lost"),
    ],
)
def test_a_ledger_that_does_not_add_up_is_refused(archive, spoil):
    put(archive, "Photo/t.jpg", b"text")
    counts = ledger(run(archive))
    check_ledger(counts, 9)
    with pytest.raises(TableError, match="each of 9 files one status"):
        check_ledger(spoil(counts), 9)


def test_a_table_whose_ledger_does_not_add_up_replaces_nothing(archive, tmp_path, monkeypatch):
    out = tmp_path / "audit.csv"
    out.write_text("earlier")
    frames = audit_module._frames
    monkeypatch.setattr(audit_module, "_frames", lambda *rows: (f.iloc[1:] for f in frames(*rows)))
    with pytest.raises(TableError, match=r"each of 8 files .* 7 rows"):
        audit_images(archive, out=out, workers=0)
    assert out.read_text() == "earlier"
    assert sorted(os.listdir(tmp_path)) == ["archive", "audit.csv"]
