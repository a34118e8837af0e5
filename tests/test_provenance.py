import getpass
import json
import platform
import subprocess

import pytest

from photoclf.provenance import collect_provenance


def collect(**changes):
    values = {
        "split_hash": "5" * 64,
        "manifest_hash": "6" * 64,
        "seed": 42,
        "threads": 1,
    }
    return collect_provenance(**{**values, **changes})


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "uv.lock").write_text("numpy 1\n")
    (tmp_path / "requirements.lock.txt").write_text("numpy==1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(
        tmp_path,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "commit",
        "-q",
        "-m",
        "x",
    )
    return tmp_path


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_clean_checkout_gives_its_commit(repository):
    provenance = collect(repository=repository)
    assert provenance["commit"] == git(repository, "rev-parse", "HEAD")
    assert provenance["dirty"] is False


@pytest.mark.parametrize("name", ["uv.lock", "new.py"])
def test_a_changed_or_added_file_makes_the_checkout_dirty(repository, name):
    (repository / name).write_text("changed\n")
    assert collect(repository=repository)["dirty"] is True


def test_outside_git_the_commit_is_unknown(tmp_path):
    provenance = collect(repository=tmp_path)
    assert provenance["commit"] is None
    assert provenance["dirty"] is None
    assert provenance["lock_hash"] is None


def test_a_repository_without_a_commit_is_no_error(tmp_path):
    git(tmp_path, "init", "-q")
    assert collect(repository=tmp_path)["commit"] is None


def test_a_hook_of_another_repository_does_not_lend_its_commit(repository, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    assert collect(repository=repository)["commit"] == git_head(repository, monkeypatch)


def git_head(repository, monkeypatch):
    monkeypatch.delenv("GIT_DIR")
    return git(repository, "rev-parse", "HEAD")


def test_a_machine_without_git_is_no_error(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert collect(repository=repository)["commit"] is None


def test_the_lock_hash_changes_with_the_lock(repository):
    before = collect(repository=repository)["lock_hash"]
    (repository / "uv.lock").write_text("numpy 2\n")
    after = collect(repository=repository)["lock_hash"]
    (repository / "uv.lock").unlink()
    exported = collect(repository=repository)["lock_hash"]
    assert len({before, after, exported}) == 3
    assert all(len(h) == 64 for h in (before, after, exported))


def test_versions_and_processor_are_recorded():
    provenance = collect()
    assert provenance["versions"]["python"] == platform.python_version()
    assert {"numpy", "pillow", "keras"} <= set(provenance["versions"])
    assert provenance["cpu"]["count"] >= 1
    assert provenance["cpu"]["model"]
    assert (provenance["seed"], provenance["threads"]) == (42, 1)


def test_nothing_names_the_machine_its_user_or_a_path(repository):
    text = json.dumps(collect(repository=repository))
    assert str(repository) not in text
    assert "/" not in text
    if len(platform.node()) > 3:
        assert platform.node() not in text
    if getpass.getuser() not in ("root", "user"):
        assert getpass.getuser() not in text
