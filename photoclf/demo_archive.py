"""A drawn archive in TouNum's layout, so that every command can be tried without client images."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

from photoclf.demo_pages import TEXTS, draw_text_page
from photoclf.demo_paintings import STYLES, render_original
from photoclf.demo_photographs import ORIGINALS, scan
from photoclf.demo_schematics import SCHEMATICS, draw_schematic
from photoclf.errors import ArchiveError, ConfigError
from photoclf.files import read_json, replacing, write_json, write_text

_VERSION = 1
DEMO_MARKER = ".photoclf-demo.json"
_SUBFOLDERS: dict[str, list[str]] = {
    "Painting": list(STYLES["Painting"]),
    "Photo": list(STYLES["Photo"]),
    "Schematics": list(SCHEMATICS),
    "Sketch": list(STYLES["Sketch"]),
    "Text": list(TEXTS),
}
# (format, mode, suffix): the same mixture in every class, so that none gives the class away.
_FORMS = [
    ("JPEG", "RGB", ".jpg"),
    ("JPEG", "RGB", ".jpg"),
    ("JPEG", "RGB", ".JPG"),
    ("JPEG", "RGB", ".jpeg"),
    ("JPEG", "L", ".jpg"),
    ("JPEG", "CMYK", ".jpg"),
    ("PNG", "RGB", ".png"),
    ("PNG", "L", ".png"),
    ("GIF", "RGB", ".gif"),
    ("TIFF", "RGB", ".tif"),
]
_ACCENTED = {("Photo", 1): "fête_de_l'été_à_Besançon", ("Text", 1): "procès-verbal_n°_3_–_août"}
_HTML = "<!DOCTYPE html>\n<html lang='fr'><title>404</title><p>Image introuvable.</p></html>\n"
_DESKTOP_INI = "[.ShellClassInfo]\r\nIconResource=C:\\Windows\\System32\\imageres.dll,67\r\n"
_README = """\
Archive de démonstration dessinée par photoclf (graine {seed}, {images_per_class} images/classe).
Aucun chiffre obtenu sur cette archive n'est un chiffre de qualité : elle sert à essayer l'outil.
Les photographies, les peintures et les croquis sont tirés des mêmes {originals} photographies
d'origine ; groups.csv dit laquelle. Les schémas et les pages de texte sont entièrement dessinés.
Quelques défauts sont voulus : fichier tronqué, fichier vide, page HTML nommée .jpg, doublons.

Demonstration archive drawn by photoclf (seed {seed}, {images_per_class} images per class).
No figure obtained on this archive is a figure of quality: it is there to try the tool.
Photographs, paintings and sketches are made from the same {originals} original photographs;
groups.csv says which. Schematics and text pages are drawn from nothing.
A few faults are on purpose: a truncated file, an empty one, an HTML page named .jpg, duplicates.

Photographies d'origine / original photographs
- scikit-image (skimage.data) :
  astronaut, hubble: NASA, public domain; rocket: SpaceX, public domain;
  camera (Lav Varshney), chelsea (Stefan van der Walt), coffee (Rachel Michetti): CC0;
  brick, gravel (CC0Textures), grass (DeviantArt, linolafett): CC0;
  coins: Brooklyn Museum, no known copyright restrictions; moon: origin not stated by scikit-image;
  motorcycle: Middlebury Stereo 2014 (D. Scharstein et al., GCPR 2014).
- scikit-learn (sklearn.datasets), Creative Commons BY 2.0, modified:
  china: danielbuechele (flickr.com/photos/danielbuechele/6061409035);
  flower: vultilion (flickr.com/photos/vultilion/6056698931).
"""


@dataclass(frozen=True)
class _Job:
    path: str
    kind: str
    style: str
    original: str
    form: tuple[str, str, str]
    key: tuple[int, ...]


def draw_demo_archive(
    folder: Path,
    *,
    images_per_class: int = 120,
    seed: int = 42,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> int:
    """Draw a demonstration archive in TouNum's layout, from data inside installed packages.

    Five class folders with sub-folders, `Dataset_L2` (unlabelled), `Photo_2`, and the oddities of
    real archives. The bytes depend on the arguments and installed versions alone. A complete
    archive is left as it is; one whose drawing was interrupted is completed. `groups.csv`
    (`pathname;group`) names the original of every image made from a photograph.

    Args:
        folder: A folder that is missing, empty, or holds this same demo archive.
        images_per_class: Images in each class folder, planted oddities not counted; at least 1.
        seed: A number from 0 up.
        progress: Wraps the list of images while they are drawn, such as `tqdm.tqdm`.

    Returns:
        The number of files in the archive, without the hidden marker.

    Raises:
        ConfigError: If `images_per_class` or `seed` is out of range.
        ArchiveError: If `folder` holds anything else; nothing is then written.

    Example:
        >>> draw_demo_archive(Path("data/demo"))
        662
    """
    _check_numbers(images_per_class, seed)
    folder = Path(folder)
    jobs = _plan(images_per_class, seed)
    choices = {"version": _VERSION, "seed": seed, "images_per_class": images_per_class}
    marker = folder / DEMO_MARKER
    started = _read_start(folder, choices)
    if started.get("complete"):
        return int(started["files"])
    write_json(marker, {**choices, "complete": False})
    _remove_half_written(folder)
    with ThreadPoolExecutor(max_workers=2) as pool:
        drawing = pool.map(lambda job: _draw_once(folder, job), jobs)
        try:
            for _ in zip(progress(jobs) if progress else jobs, drawing, strict=True):
                pass
        finally:
            # An interrupt would otherwise wait until the last image is drawn.
            pool.shutdown(cancel_futures=True)
    rows = [(job.path, job.original) for job in jobs if job.original]
    rows += _plant_oddities(folder, jobs)
    lines = [f"{path};{original}\n" for path, original in sorted(rows)]
    write_text(folder / "groups.csv", "pathname;group\n" + "".join(lines))
    write_text(folder / "LISEZMOI.txt", _README.format(**choices, originals=len(ORIGINALS)))
    files = sum(path.is_file() for path in folder.rglob("*")) - 1
    write_json(marker, {**choices, "complete": True, "files": files})
    return files


def _check_numbers(images_per_class: int, seed: int) -> None:
    for name, value, least in (("images_per_class", images_per_class, 1), ("seed", seed, 0)):
        if value < least:
            raise ConfigError(f"`{name}` must be at least {least}. Received: {name}={value}.")


def _read_start(folder: Path, choices: dict[str, int]) -> dict[str, Any]:
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return {}
    try:
        found = read_json(folder / DEMO_MARKER)
        if {name: found.get(name) for name in choices} == choices:
            return found
        received = f"a demo archive drawn with {found}"
    except (OSError, ValueError, AttributeError):
        received = "something that this command didn't draw"
    raise ArchiveError(
        f"The folder of a demo archive must be missing, empty, or hold the same demo archive "
        f"({choices}). Received: {str(folder)!r}, which holds {received}. "
        f"Choose another folder; nothing was written."
    )


def _plan(images_per_class: int, seed: int) -> list[_Job]:
    jobs = []
    for kind, styles in _SUBFOLDERS.items():
        key = (seed, crc32(kind.encode()))
        dealt = _deal_together([list(ORIGINALS), _FORMS, styles], images_per_class, key)
        for i, (original, form, style) in enumerate(dealt):
            stem = _ACCENTED.get((kind, i), f"scan_{(i * 7919 + 137) % 99991:05d}")
            original = original if kind in STYLES else ""
            path = f"{kind}/{style}/{stem}{form[2]}"
            jobs.append(_Job(path, kind, style, original, form, (*key, 9, i)))
    jobs += _plan_mixture("Dataset_L2", "lot2_", list(_SUBFOLDERS), images_per_class // 3, seed)
    return jobs + _plan_mixture("Photo_2", "IMG_", ["Photo"], images_per_class // 10, seed)


def _plan_mixture(folder: str, stem: str, kinds: list[str], count: int, seed: int) -> list[_Job]:
    count, key = max(count, len(_FORMS) // 2), (seed, crc32(folder.encode()))
    dealt = _deal_together([kinds, list(ORIGINALS), _FORMS], count, key)
    jobs = []
    for i, (kind, original, form) in enumerate(dealt):
        style = _SUBFOLDERS[kind][i % len(_SUBFOLDERS[kind])]
        original = original if kind in STYLES else ""
        path = f"{folder}/{stem}{i + 1:04d}{form[2]}"
        jobs.append(_Job(path, kind, style, original, form, (*key, 9, i)))
    return jobs


def _deal_together(
    decks: list[list[Any]], count: int, key: tuple[int, ...]
) -> list[tuple[Any, ...]]:
    dealt = [_deal(deck, count, (*key, number)) for number, deck in enumerate(decks)]
    return list(zip(*dealt, strict=True))


def _deal(choices: list[Any], count: int, key: tuple[int, ...]) -> list[Any]:
    """Deal shuffled decks, one after the other: even shares, and no rhythm to be learnt."""
    rng = np.random.default_rng(key)
    dealt: list[Any] = []
    while len(dealt) < count:
        dealt += [choices[i] for i in rng.permutation(len(choices))]
    return dealt[:count]


def _draw_once(folder: Path, job: _Job) -> None:
    if (folder / job.path).exists():
        return
    # Each image has a generator of its own, so that the order of the threads changes nothing.
    rng = np.random.default_rng(job.key)
    if job.kind in STYLES:
        image = render_original(job.kind, job.style, job.original, rng)
    else:
        draw = draw_schematic if job.kind == "Schematics" else draw_text_page
        image = draw(job.style, rng)
    _write(folder / job.path, _encode(scan(image, rng), job.form, int(rng.integers(62, 96))))


def _encode(image: Image.Image, form: tuple[str, str, str], quality: int) -> bytes:
    file_format, mode, _ = form
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "dpi": (300, 300)},
        "PNG": {"compress_level": 3},
        "TIFF": {"compression": "tiff_lzw"},
    }
    stream = BytesIO()
    image.convert(mode).save(stream, file_format, **options.get(file_format, {}))
    return stream.getvalue()


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


def _plant_oddities(folder: Path, jobs: list[_Job]) -> list[tuple[str, str]]:
    """Plant what real archives hold; return the path and group of each that shows a photograph."""
    rows = []
    for kind in ("Photo", "Text"):
        job = next(job for job in jobs if job.kind == kind)
        data = (folder / job.path).read_bytes()
        copy = f"{kind}/{_SUBFOLDERS[kind][-1]}/copie_de_scan{job.form[2]}"
        near = f"{kind}/{_SUBFOLDERS[kind][0]}/scan_web.jpg"
        _write(folder / copy, data)
        image = Image.open(BytesIO(data)).convert("RGB")
        smaller = image.resize([round(side * 0.94) for side in image.size])
        _write(folder / near, _encode(smaller, _FORMS[0], 58))
        rows += [(copy, job.original), (near, job.original)]
        if kind == "Photo":
            cut = f"Photo/{_SUBFOLDERS[kind][1]}/transfert_interrompu.jpg"
            whole = _encode(image, _FORMS[0], 85)
            _write(folder / cut, whole[: len(whole) * 6 // 10])
            rows.append((cut, job.original))
    _write(folder / "Schematics" / _SUBFOLDERS["Schematics"][0] / "vide.png", b"")
    write_text(folder / "Painting" / _SUBFOLDERS["Painting"][0] / "telechargement.jpg", _HTML)
    write_text(folder / "Photo" / "desktop.ini", _DESKTOP_INI)
    return [row for row in rows if row[1]]


def _remove_half_written(folder: Path) -> None:
    for path in folder.rglob(".*.tmp"):
        path.unlink()
