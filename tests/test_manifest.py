import contextlib
import os
import socket
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.errors import ArchiveError, TableError
from photoclf.manifest import (
    class_folder,
    list_files,
    read_manifest,
    scan_archive,
    source_folder,
    walk_files,
    why_ignored,
)
from photoclf.schema import MANIFEST
from photoclf.tables import write_table

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or names")
ANY_BYTES = pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any byte")


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for name in ("Photo/a.jpg", "Photo/box 1/b.jpg", "Plans/c.jpg", "Texte/d.jpg"):
        put(root, name)
    return root


def put(root, name, content=b"x"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def problems(root) -> dict[str, str]:
    files = list_files(root)
    return dict(zip(files.pathname, files.problem, strict=True))


def manifest_file(tmp_path, *rows, header="pathname;label"):
    path = tmp_path / "manifest.csv"
    path.write_bytes("\n".join([header, *rows, ""]).encode())
    return path


# Listing


def test_each_file_is_listed_once_sorted_with_its_size_and_time(archive):
    files = list_files(archive)
    assert files.pathname.tolist() == [
        "Photo/a.jpg",
        "Photo/box 1/b.jpg",
        "Plans/c.jpg",
        "Texte/d.jpg",
    ]
    assert files.bytes.tolist() == [1] * 4
    assert files.mtime_ns[0] == (archive / "Photo/a.jpg").stat().st_mtime_ns
    assert set(files.problem) == {""}


@POSIX
def test_odd_names_are_listed_as_they_are(tmp_path):
    names = ["a\nb.jpg", 'q".jpg', "s;c.jpg", "<script>.jpg", " .jpg", "é.jpg", "n" * 255]
    for name in names:
        put(tmp_path, name)
    assert list_files(tmp_path).pathname.tolist() == sorted(names)


@ANY_BYTES
def test_a_name_that_is_not_utf8_is_listed_and_can_be_opened(tmp_path):
    put(tmp_path, os.fsdecode(b"caf\xe9/\xff.jpg"), b"found")
    (name,) = list_files(tmp_path).pathname
    assert os.fsencode(name) == b"caf\xe9/\xff.jpg"
    assert (tmp_path / name).read_bytes() == b"found"


@POSIX
def test_links_pipes_and_sockets_are_told_and_no_loop_is_endless(tmp_path):
    put(tmp_path, "real/a.jpg", b"12")
    (tmp_path / "good_link.jpg").symlink_to("real/a.jpg")
    (tmp_path / "broken_link.jpg").symlink_to("gone.jpg")
    (tmp_path / "own_link.jpg").symlink_to("own_link.jpg")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "pipe_link.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(tmp_path, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/s.jpg" if sys.platform == "linux" else "s.jpg")
        os.close(here)
    assert problems(tmp_path) == {
        "broken_link.jpg": "vanished",
        "good_link.jpg": "",
        "own_link.jpg": "vanished",
        "pipe.jpg": "special_file",
        "pipe_link.jpg": "special_file",
        "real/a.jpg": "",
        "real/up": "link_to_folder",
        "s.jpg": "special_file",
    }


def test_a_folder_that_can_not_be_listed_is_one_row_and_not_a_crash(archive, monkeypatch):
    real = os.scandir

    def scandir(place):
        if str(place).endswith("Plans/"):
            raise PermissionError
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert problems(archive)["Plans/"] == "folder_no_permission"
    assert len(list_files(archive)) == 4


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_without_rights_is_one_row(archive):
    (archive / "Plans").chmod(0)
    found = problems(archive)
    (archive / "Plans").chmod(0o700)
    assert found["Plans/"] == "folder_no_permission"


def test_very_deep_folders_are_listed(tmp_path):
    name = "/".join(["d" * 5] * 150) + "/a.jpg"
    put(tmp_path, name)
    assert list_files(tmp_path).pathname.tolist() == [name]


def test_an_empty_folder_has_no_files(tmp_path):
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    files = list_files(tmp_path)
    assert len(files) == 0
    assert list(files.columns) == ["pathname", "bytes", "mtime_ns", "problem"]


# Labels


def test_the_positive_folder_is_1_and_every_other_class_is_0(archive):
    manifest = scan_archive(archive)
    assert manifest.label.tolist() == [1, 1, 0, 0]
    assert {c: str(d) for c, d in manifest.dtypes.items()} == MANIFEST.columns


def test_what_is_no_labelled_image_is_left_out(archive):
    for name in (
        "Dataset_L2/x.jpg",
        "Photo_2/x.jpg",
        "Photo/desktop.ini",
        "Photo/Any.INI",
        "Photo/Thumbs.db",
        "Photo/.DS_Store",
        "Photo/._a.jpg",
        "Photo/.thumbnails/a.jpg",
        ".ipynb_checkpoints/x.jpg",
        "groups.csv",
        "loose.jpg",
    ):
        put(archive, name)
    assert len(scan_archive(archive)) == 4


def test_another_positive_folder_and_other_ignored_ones_may_be_named(archive):
    manifest = scan_archive(archive, positive_folder="Plans", ignored_folders=["Texte"])
    assert dict(zip(manifest.pathname, manifest.label, strict=True)) == {
        "Photo/a.jpg": 0,
        "Photo/box 1/b.jpg": 0,
        "Plans/c.jpg": 1,
    }


@POSIX
def test_a_broken_link_stays_in_the_manifest_and_a_pipe_does_not(archive):
    (archive / "Photo" / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(archive / "Photo" / "pipe.jpg")
    names = scan_archive(archive).pathname.tolist()
    assert "Photo/gone.jpg" in names
    assert "Photo/pipe.jpg" not in names


def test_without_the_positive_folder_the_near_one_is_suggested(archive):
    (archive / "Photo").rename(archive / "Photos")
    with pytest.raises(ArchiveError, match="Did you mean 'Photos'"):
        scan_archive(archive)


def test_one_class_teaches_nothing(tmp_path):
    put(tmp_path, "Photo/a.jpg")
    put(tmp_path, "Photo_2/a.jpg")
    with pytest.raises(ArchiveError, match="at least two class folders"):
        scan_archive(tmp_path)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: (p / "Photo").mkdir()])
def test_an_archive_without_files_is_refused(tmp_path, make):
    make(tmp_path)
    with pytest.raises(ArchiveError, match="no file"):
        scan_archive(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="can't be listed"):
        scan_archive(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "folder", "source", "ignored"),
    [
        ("Photo/a.jpg", "Photo", "", ""),
        ("Photo/b/c/a.jpg", "Photo", "b/c", ""),
        ("a.jpg", "", "", "no_class_folder"),
        ("Photo_2/a.jpg", "Photo_2", "", "ignored_folder"),
        ("Photo/a.ini", "Photo", "", "system_file"),
        ("Photo/a.init.jpg", "Photo", "", ""),
        ("Photo/.hidden/a.jpg", "Photo", ".hidden", "system_file"),
        ("Photo/a.b/..c.jpg", "Photo", "a.b", "system_file"),
    ],
)
def test_a_name_tells_class_source_and_why_it_is_ignored(name, folder, source, ignored):
    assert class_folder(name) == folder
    assert source_folder(name) == source
    assert why_ignored(name, ["Photo_2"]) == ignored


# Reading


def test_a_manifest_comes_back_as_it_was_scanned(archive, tmp_path):
    scanned = scan_archive(archive)
    write_table(scanned, tmp_path / "m.csv", MANIFEST)
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "m.csv", archive), scanned)


@pytest.mark.parametrize(
    "prefix", ["C:\\Users\\x\\Dataset\\", "D:\\", "\\\\server\\share\\Dataset\\", "c:\\uface\\"]
)
def test_absolute_windows_paths_are_cut_to_the_archive(archive, tmp_path, prefix):
    path = manifest_file(
        tmp_path, *(f"{prefix}{p};1" for p in ("Photo\\a.jpg", "Photo\\box 1\\b.jpg"))
    )
    assert read_manifest(path, archive).pathname.tolist() == ["Photo/a.jpg", "Photo/box 1/b.jpg"]


@POSIX
def test_a_folder_that_only_looks_like_a_drive_is_a_folder(archive, tmp_path):
    put(archive, "C:/a.jpg")
    path = manifest_file(tmp_path, "C:/a.jpg;0", "Photo/a.jpg;1")
    assert read_manifest(path, archive).pathname.tolist() == ["C:/a.jpg", "Photo/a.jpg"]


def test_the_first_file_of_the_older_form_may_be_gone_and_is_named(archive, tmp_path):
    rows = ["C:\\D\\Photo\\gone.jpg;1", "C:\\D\\Photo\\a.jpg;1"]
    with pytest.raises(TableError, match=r"1 of 2 gone, first 'Photo/gone.jpg'"):
        read_manifest(manifest_file(tmp_path, *rows), archive)


def test_absolute_paths_need_an_archive_and_one_that_fits(archive, tmp_path):
    path = manifest_file(tmp_path, "C:\\D\\Other\\z.jpg;1")
    with pytest.raises(TableError, match="--archive"):
        read_manifest(path)
    with pytest.raises(TableError, match=r"must exist below .*z\.jpg"):
        read_manifest(path, archive)


@pytest.mark.parametrize("label", ["2", "-1", "1.5", "photo", "", "nan"])
def test_a_label_that_is_not_0_or_1_is_refused(archive, tmp_path, label):
    with pytest.raises(TableError):
        read_manifest(manifest_file(tmp_path, "Photo/a.jpg;1", f"Plans/c.jpg;{label}"), archive)


def test_a_label_2_is_named(archive, tmp_path):
    with pytest.raises(TableError, match="Received: 2 "):
        read_manifest(manifest_file(tmp_path, "Photo/a.jpg;2"), archive)


def test_a_file_named_twice_is_refused_even_with_one_label(archive, tmp_path):
    with pytest.raises(TableError, match="'Photo/a.jpg' twice"):
        read_manifest(manifest_file(tmp_path, "Photo/a.jpg;1", "Photo/a.jpg;1"), archive)


@pytest.mark.parametrize("name", ["../x.jpg", "Photo/../../x.jpg", "/etc/passwd", '""', "Photo/.."])
def test_a_name_that_leads_out_of_the_archive_is_refused(archive, tmp_path, name):
    with pytest.raises(TableError, match="inside it"):
        read_manifest(manifest_file(tmp_path, f"{name};1"), archive)


def test_unknown_columns_are_refused(archive, tmp_path):
    path = manifest_file(tmp_path, "Photo/a.jpg;1;box", header="pathname;label;source")
    with pytest.raises(TableError, match=r"Unknown: \['source'\]"):
        read_manifest(path, archive)


def test_files_that_are_gone_are_counted_and_the_first_is_named(archive, tmp_path):
    path = manifest_file(tmp_path, "Photo/a.jpg;1", "Photo/y.jpg;1", "Photo/x.jpg;0")
    with pytest.raises(TableError, match=r"2 of 3 gone, first 'Photo/y.jpg'"):
        read_manifest(path, archive)
    assert len(read_manifest(path)) == 3  # without an archive nothing is looked up


def test_a_broken_link_is_not_gone(archive, tmp_path):
    try:
        (archive / "Photo" / "link.jpg").symlink_to("nowhere")
    except OSError:
        pytest.skip("links need rights on this system")
    assert len(read_manifest(manifest_file(tmp_path, "Photo/link.jpg;1"), archive)) == 1


SEGMENTS = st.sampled_from(["a", "a ", "a.b", "a-", "a0", "b", "é", "A", "a\n"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(SEGMENTS, min_size=1, max_size=4), max_size=12))
def test_files_come_in_the_order_of_their_pathnames_whatever_the_folders(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    for parts in tree:
        with contextlib.suppress(OSError):  # a file where a folder would have to be
            put(root, "/".join(parts))
    listed = [name for name, *_ in walk_files(root)]
    assert listed == sorted(listed)
    assert len(listed) == sum(len(files) for _, _, files in os.walk(root))


@given(st.lists(st.sampled_from(["a", ".b", "Photo_2", "x.ini", "é", ".."]), min_size=1))
def test_every_name_has_exactly_one_reason_or_none(parts):
    reason = why_ignored("/".join(parts), ["Photo_2"])
    assert reason in ("", "system_file", "ignored_folder", "no_class_folder")
    if not reason:
        assert len(parts) > 1
        assert parts[0] != "Photo_2"
