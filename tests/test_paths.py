import os
import subprocess
import sys
from pathlib import Path

import pytest

from photoclf.errors import ArchiveError, PhotoclfError
from photoclf.paths import ARCHIVE_VARIABLE, Workspace, find_notebook, resolve_archive


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "work" / "data").mkdir(parents=True)
    return Workspace(tmp_path / "work")


@pytest.fixture
def places(tmp_path):
    for name in ("given", "environment", "noted"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_parameter_goes_before_the_environment_and_the_note(workspace, places):
    workspace.archive_note.write_text(str(places / "noted"))
    environment = {ARCHIVE_VARIABLE: str(places / "environment")}
    assert resolve_archive(places / "given", workspace, environment) == places / "given"
    assert resolve_archive(str(places / "given"), workspace, environment) == places / "given"
    assert resolve_archive(None, workspace, environment) == places / "environment"
    assert resolve_archive("", workspace, environment) == places / "environment"
    assert resolve_archive(None, workspace, {}) == places / "noted"
    assert resolve_archive(None, workspace, {ARCHIVE_VARIABLE: ""}) == places / "noted"


def test_the_process_s_environment_is_the_default(workspace, places, monkeypatch):
    monkeypatch.setenv(ARCHIVE_VARIABLE, str(places / "environment"))
    assert resolve_archive(None, workspace) == places / "environment"


@pytest.mark.parametrize("text", ["{}\n", "\ufeff{}", "  {}  \r\n", "\n{}\n"])
def test_the_note_may_have_a_bom_and_blanks(workspace, places, text):
    workspace.archive_note.write_bytes(text.format(places / "noted").encode())
    assert resolve_archive(None, workspace, {}) == places / "noted"


def test_a_relative_note_is_relative_to_the_workspace(workspace, places, monkeypatch):
    workspace.archive_note.write_text("../noted")
    monkeypatch.chdir("/")
    assert resolve_archive(None, workspace, {}) == places / "noted"


def test_a_relative_parameter_is_relative_to_where_one_is(workspace, places, monkeypatch):
    monkeypatch.chdir(places)
    assert resolve_archive("given", workspace, {}) == places / "given"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no HOME")
def test_the_home_folder_may_be_written_as_a_tilde(workspace, places, monkeypatch):
    monkeypatch.setenv("HOME", str(places))
    assert resolve_archive("~/given", workspace, {}) == places / "given"
    workspace.archive_note.write_text("~/noted")
    assert resolve_archive(None, workspace, {}) == places / "noted"
    assert Workspace("~/work").root == workspace.root


def test_the_home_of_nobody_is_just_not_there(workspace):
    with pytest.raises(ArchiveError, match="nothing there"):
        resolve_archive("~no_such_user_here/x", workspace, {})


@pytest.mark.parametrize("text", ["", "\n", "  \n", "\ufeff"])
def test_an_empty_note_names_no_archive(workspace, text):
    workspace.archive_note.write_text(text, encoding="utf-8")
    with pytest.raises(ArchiveError, match="must be known"):
        resolve_archive(None, workspace, {})


def test_when_nothing_names_an_archive_the_error_tells_the_three_ways(workspace):
    with pytest.raises(ArchiveError) as caught:
        resolve_archive(None, workspace, {})
    message = str(caught.value)
    assert all(way in message for way in ("--archive", ARCHIVE_VARIABLE, "path.txt"))


def test_an_error_says_where_the_wrong_folder_was_named(workspace, tmp_path):
    with pytest.raises(ArchiveError, match=r"nothing there.*parameter"):
        resolve_archive(tmp_path / "gone", workspace, {})
    with pytest.raises(ArchiveError, match=rf"nothing there.*\${ARCHIVE_VARIABLE}"):
        resolve_archive(None, workspace, {ARCHIVE_VARIABLE: str(tmp_path / "gone")})
    workspace.archive_note.write_text("C:\\Users\\x\\Dataset")
    with pytest.raises(ArchiveError, match=r"path\.txt"):
        resolve_archive(None, workspace, {})


def test_a_file_is_no_archive(workspace, tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ArchiveError, match="a file"):
        resolve_archive(tmp_path / "a.jpg", workspace, {})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any byte in a name")
def test_a_note_may_name_a_folder_that_is_not_utf8(workspace, places):
    folder = os.fsencode(places) + b"/caf\xe9"
    os.mkdir(folder)
    workspace.archive_note.write_bytes(folder + b"\n")
    assert resolve_archive(None, workspace, {}) == Path(os.fsdecode(folder))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_without_rights_is_told_as_such(workspace, places):
    (places / "given").chmod(0)
    with pytest.raises(ArchiveError, match="readable"):
        resolve_archive(places / "given", workspace, {})


def test_a_workspace_is_absolute_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace("new")
    assert workspace.root == tmp_path / "new"
    places = (workspace.manifest, workspace.audit, workspace.split, workspace.cache)
    assert all(place.parent == workspace.data for place in places)
    assert workspace.choice.parent == workspace.models
    assert list(tmp_path.iterdir()) == []


def test_importing_paths_loads_no_table_library_and_writes_nothing(tmp_path):
    code = "import sys, photoclf.paths; print('pandas' in sys.modules, 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_notebook_is_an_error_a_user_can_mend():
    with pytest.raises(PhotoclfError, match="'no_such_notebook'"):
        find_notebook("no_such_notebook")
