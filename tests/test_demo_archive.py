"""The demo archive: the same bytes each time, every oddity in its place, nothing overwritten."""

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from photoclf import demo_archive
from photoclf.demo_archive import draw_demo_archive
from photoclf.demo_photographs import ORIGINALS
from photoclf.errors import ArchiveError, ConfigError

SMALL = 10
CLASSES = ["Painting", "Photo", "Schematics", "Sketch", "Text"]
FROM_PHOTOGRAPHS = ["Photo", "Painting", "Sketch", "Photo_2"]
NOT_IMAGES = {"vide.png", "telechargement.jpg", "transfert_interrompu.jpg"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    draw_demo_archive(folder, images_per_class=SMALL)
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _images(folder: Path) -> list[Path]:
    suffixes = {".jpg", ".jpeg", ".png", ".gif", ".tif"}
    found = [path for path in folder.rglob("*.*") if path.suffix.lower() in suffixes]
    return sorted(path for path in found if path.name not in NOT_IMAGES)


def _groups(demo: Path) -> dict[str, str]:
    with open(demo / "groups.csv", encoding="utf-8", newline="") as file:
        return {row["pathname"]: row["group"] for row in csv.DictReader(file, delimiter=";")}


def _look(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L").resize((32, 32)), float)


def test_another_process_with_other_hash_seed_draws_the_same_bytes(demo, tmp_path):
    code = (
        "from pathlib import Path; from photoclf.demo_archive import draw_demo_archive; "
        f"draw_demo_archive(Path({str(tmp_path)!r}), images_per_class={SMALL})"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert _hashes(tmp_path) == _hashes(demo)


def test_another_seed_draws_other_pictures(demo, tmp_path):
    draw_demo_archive(tmp_path, images_per_class=1, seed=43)
    assert not set(_hashes(tmp_path).values()) & {
        digest for path, digest in _hashes(demo).items() if "scan_" in path
    }


def test_the_count_is_the_number_of_visible_files(demo):
    visible = [path for path in _hashes(demo) if path != ".photoclf-demo.json"]
    assert draw_demo_archive(demo, images_per_class=SMALL) == len(visible)


def test_each_class_has_its_images_in_several_sources(demo):
    for kind in CLASSES:
        planned = [p for p in _images(demo / kind) if "copie" not in p.name and "web" not in p.name]
        assert len(planned) == SMALL
        assert len({path.parent for path in planned}) >= 3
    assert (
        len(list((demo / "Dataset_L2").iterdir())) == len(list((demo / "Photo_2").iterdir())) == 5
    )


def test_names_in_the_unlabelled_folder_reveal_no_class(demo):
    assert all(path.stem.startswith("lot2_") for path in (demo / "Dataset_L2").iterdir())


def test_every_class_has_every_format_and_grey_and_cmyk(demo):
    for kind in CLASSES:
        opened = [Image.open(path) for path in _images(demo / kind)]
        assert {image.format for image in opened} == {"JPEG", "PNG", "GIF", "TIFF"}
        assert {"L", "CMYK", "RGB"} <= {image.mode for image in opened}


def test_every_image_but_the_planted_ones_loads_at_a_plausible_size(demo):
    for path in _images(demo):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) >= 140, path
            assert max(image.size) <= 1200, path


def test_the_truncated_jpeg_cannot_be_loaded(demo):
    (path,) = demo.rglob("transfert_interrompu.jpg")
    with pytest.raises(OSError, match="truncated"):
        Image.open(path).load()


def test_the_empty_file_and_the_web_page_are_no_images(demo):
    (empty,), (page,) = demo.rglob("vide.png"), demo.rglob("telechargement.jpg")
    assert empty.stat().st_size == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    for path in (empty, page):
        with pytest.raises(UnidentifiedImageError):
            Image.open(path)


def test_a_stray_ini_file_lies_in_a_class_folder(demo):
    assert (demo / "Photo" / "desktop.ini").is_file()


@pytest.mark.parametrize("kind", ["Photo", "Text"])
def test_the_exact_duplicate_has_the_bytes_of_another_file(demo, kind):
    digests = _hashes(demo / kind)
    (copy,) = [path for path in digests if "copie_de_scan" in path]
    assert list(digests.values()).count(digests[copy]) == 2


@pytest.mark.parametrize("kind", ["Photo", "Text"])
def test_the_near_duplicate_looks_alike_but_has_other_bytes_and_size(demo, kind):
    (near,) = (demo / kind).rglob("scan_web.jpg")
    (copy,) = (demo / kind).rglob("copie_de_scan.*")
    assert near.read_bytes() != copy.read_bytes()
    assert Image.open(near).size != Image.open(copy).size
    assert np.abs(_look(near) - _look(copy)).mean() < 4


def test_some_names_have_accents(demo):
    assert any("é" in path.name for path in _images(demo))


def test_every_image_made_from_a_photograph_has_its_original_in_the_groups(demo):
    groups = _groups(demo)
    made = {
        path.relative_to(demo).as_posix()
        for folder in FROM_PHOTOGRAPHS
        for path in _images(demo / folder)
    }
    assert made <= set(groups)
    assert set(groups.values()) == set(ORIGINALS)
    assert all((demo / path).is_file() for path in groups)
    assert not any(path.startswith(("Schematics/", "Text/")) for path in groups)


def test_copies_of_a_photograph_share_its_group(demo):
    groups, digests = _groups(demo), _hashes(demo)
    by_digest = {}
    for path, group in groups.items():
        by_digest.setdefault(digests[path], set()).add(group)
    assert all(len(names) == 1 for names in by_digest.values())


def test_the_readme_credits_the_photographers_in_two_languages(demo):
    text = (demo / "LISEZMOI.txt").read_text(encoding="utf-8")
    for words in ("Aucun chiffre", "No figure", "BY 2.0", "NASA", "CC0"):
        assert words in text


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("à garder", encoding="utf-8")
    before = _hashes(tmp_path)
    with pytest.raises(ArchiveError, match=r"Received: .* Choose another folder"):
        draw_demo_archive(tmp_path, images_per_class=1)
    assert _hashes(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    file = tmp_path / "demo"
    file.write_text("à garder", encoding="utf-8")
    with pytest.raises(ArchiveError, match="must be missing, empty"):
        draw_demo_archive(file)
    assert file.read_text(encoding="utf-8") == "à garder"


def test_a_demo_drawn_with_other_choices_is_refused(demo):
    before = _hashes(demo)
    with pytest.raises(ArchiveError, match="'seed': 1"):
        draw_demo_archive(demo, images_per_class=SMALL, seed=1)
    assert _hashes(demo) == before


def test_drawing_again_changes_no_file(demo, monkeypatch):
    monkeypatch.setattr(demo_archive, "_draw_once", None)
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    draw_demo_archive(demo, images_per_class=SMALL)
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*")} == before


def test_an_interrupted_drawing_is_completed_with_the_same_bytes(demo, tmp_path):
    def stop_after_seven(jobs):
        yield from jobs[:7]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_demo_archive(tmp_path, images_per_class=SMALL, progress=stop_after_seven)
    assert 7 <= len(_images(tmp_path)) < len(_images(demo)) / 2
    (tmp_path / ".half.tmp").write_bytes(b"half")
    draw_demo_archive(tmp_path, images_per_class=SMALL)
    assert _hashes(tmp_path) == _hashes(demo)


def test_progress_sees_every_image(tmp_path):
    seen = []
    draw_demo_archive(tmp_path, images_per_class=1, progress=lambda jobs: seen.extend(jobs) or jobs)
    assert len(seen) == len(_images(tmp_path)) - 4  # the planted copies come after


@pytest.mark.parametrize("choice", [{"images_per_class": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(tmp_path, choice):
    with pytest.raises(ConfigError, match="must be at least"):
        draw_demo_archive(tmp_path, **choice)
    assert not any(tmp_path.iterdir())
