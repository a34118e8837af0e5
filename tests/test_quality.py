"""Quality: CleanVision's scores and flags, and what is measured of files that don't decode."""

import json

import numpy as np
import pandas as pd
import pytest
from cleanvision import Imagelab
from PIL import Image, ImageDraw, ImageFilter

from photoclf import quality
from photoclf.quality import (
    QUALITY,
    THRESHOLDS,
    examine_file,
    odd_size_scores,
    quality_flags,
    quality_scores,
)

# Ours → CleanVision's name.
ISSUES = {name: {"bright": "light"}.get(name, name) for name in QUALITY}


def textured(seed, size):
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    noise = rng.normal(0, 12, (size[1], size[0], 3))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(float)
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


def page(size=(300, 400), lines=12):
    image = Image.new("L", size, "white")
    draw = ImageDraw.Draw(image)
    for i in range(lines):
        draw.text((30, 30 + 25 * i), "The quick brown fox jumps over the lazy dog", fill=0)
    return image


def drawn():
    """Ordinary images, and one or more of each issue."""
    size = (160, 120)
    images = {f"plain{i}": textured(i, (150 + 3 * i, 120 + 2 * i)) for i in range(12)}
    return images | {
        "dark": textured(20, size).point(lambda v: v // 6),
        "bright": textured(21, size).point(lambda v: 250 + v // 60),
        "blurry": textured(22, (400, 300)).filter(ImageFilter.GaussianBlur(40)),
        "flat": Image.new("RGB", size, (90, 120, 60)),
        "blank": Image.new("L", size, 255),
        "black": Image.new("RGB", size),
        "strip": textured(23, (400, 40)),
        "grey": textured(24, size).convert("L"),
        "page": page(),
        "large": textured(25, (1300, 1100)),
        "tiny": textured(26, (3, 2)),
        "dot": Image.new("RGB", (1, 1), "red"),
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same drawn images through CleanVision and through us, in one order."""
    folder = tmp_path_factory.mktemp("drawn")
    paths = []
    for name, image in drawn().items():
        paths.append(folder / f"{name}.png")
        image.save(paths[-1])
    theirs = Imagelab(filepaths=[str(p) for p in paths])
    theirs.find_issues({name: {} for name in ISSUES.values()}, n_jobs=1, verbose=False)
    ours = pd.DataFrame([examine_file(p) for p in paths], index=[str(p) for p in paths])
    ours["odd_size"] = odd_size_scores(ours)
    return ours, theirs.issues.loc[ours.index]


@pytest.mark.parametrize("name", QUALITY)
def test_scores_are_those_of_cleanvision(both, name):
    ours, theirs = both
    expected = theirs[f"{ISSUES[name]}_score"].astype(float)
    # Brightness is ranked on a sample of an image over 2²⁰ px; all else is exact but for rounding.
    tolerance = 2e-3 if name in ("dark", "bright") else 1e-9
    exact = ~ours.index.str.endswith("large.png")
    np.testing.assert_allclose(ours[name], expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(ours[name][exact], expected[exact], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", QUALITY)
def test_flags_are_those_of_cleanvision_and_each_issue_is_seen(both, name):
    ours, theirs = both
    flags = quality_flags(ours)[name]
    expected = theirs[f"is_{ISSUES[name]}_issue"]
    assert flags.tolist() == expected.tolist()
    assert 0 < flags.sum() < len(flags)


def test_where_all_images_have_one_size_another_size_is_odd_as_in_cleanvision(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(9)]
    for i, path in enumerate(paths):
        textured(i, (64, 48) if i else (70, 48)).save(path)
    theirs = Imagelab(filepaths=[str(p) for p in paths])
    theirs.find_issues({"odd_size": {}}, n_jobs=1, verbose=False)
    ours = pd.DataFrame([examine_file(p) for p in paths])
    ours["odd_size"] = odd_size_scores(ours)
    np.testing.assert_allclose(ours.odd_size, theirs.issues.odd_size_score, atol=1e-9)
    assert quality_flags(ours).odd_size.tolist() == [True] + [False] * 8
    assert theirs.issues.is_odd_size_issue.tolist() == [True] + [False] * 8


def test_bilevel_and_palette_images_are_scored_by_what_they_show(tmp_path):
    def scores(mode):
        page().convert(mode).save(tmp_path / f"{mode}.png")
        return examine_file(tmp_path / f"{mode}.png")

    bilevel, grey, palette = scores("1"), scores("L"), scores("P")
    assert bilevel["dark"] == grey["dark"] == palette["dark"] == pytest.approx(1)
    assert bilevel["grayscale"] == grey["grayscale"] == 0
    assert palette["grayscale"] == 1


def test_other_thresholds_change_the_flags_and_no_score():
    audit = pd.DataFrame({name: [0.2, 0.4, np.nan] for name in QUALITY})
    audit["width"] = audit["height"] = [10, 20, None]
    before = audit.copy()
    assert quality_flags(audit).dark.tolist() == [True, False, False]
    assert quality_flags(audit, {"dark": 0.5}).dark.tolist() == [True, True, False]
    assert quality_flags(audit, {"dark": 0.1}).dark.tolist() == [False, False, False]
    assert quality_flags(audit, {"odd_size": 0.3}).odd_size.tolist() == [True, False, False]
    pd.testing.assert_frame_equal(audit, before)


def test_an_unknown_threshold_is_refused_with_the_near_one():
    audit = pd.DataFrame({name: [0.5] for name in QUALITY} | {"width": [1], "height": [1]})
    with pytest.raises(ValueError, match=r"'blury'.*Did you mean 'blurry'"):
        quality_flags(audit, {"blury": 0.1})


def test_sizes_are_odd_against_decoded_images_alone():
    sizes = [100.0, 110, 120, 130, 900, None]
    audit = pd.DataFrame({"width": sizes, "height": sizes}).astype("Int64")
    scores = odd_size_scores(audit)
    assert scores[4] < THRESHOLDS["odd_size"] < scores[:4].min()
    assert np.isnan(scores[5])
    pd.testing.assert_series_equal(odd_size_scores(audit[:5]), scores[:5])


@pytest.mark.parametrize("rows", [0, 3])
def test_an_archive_without_any_decoded_image_has_no_size_and_no_issue(rows):
    columns = dict.fromkeys([*QUALITY, "width", "height"], [None] * rows)
    audit = pd.DataFrame(columns).astype("Float64").astype("float64")
    assert odd_size_scores(audit).isna().all()
    assert not quality_flags(audit).to_numpy().any()


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut short"])
def test_nothing_is_measured_of_a_file_that_does_not_decode(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)
    measured = examine_file(tmp_path / "x.jpg")
    assert measured["status"] in ("unreadable", "not_an_image")
    assert not set(measured) & {*QUALITY, "phash", "detail_hash", "width"}


def test_each_file_is_read_and_decoded_once(tmp_path, monkeypatch):
    calls = []
    for name in ("read_bytes", "decode_with_facts"):
        real = getattr(quality, name)

        def counted(*args, _name=name, _real=real):
            calls.append(_name)
            return _real(*args)

        monkeypatch.setattr(quality, name, counted)
    textured(1, (60, 50)).save(tmp_path / "x.png")
    examine_file(tmp_path / "x.png")
    assert calls == ["read_bytes", "decode_with_facts"]


def test_what_is_measured_can_be_noted_as_json(tmp_path):
    page().save(tmp_path / "x.png")
    measured = examine_file(tmp_path / "x.png")
    assert json.loads(json.dumps(measured)) == measured


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_exif_is_noticed_where_it_is(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 3
    textured(0, (40, 30)).save(tmp_path / f"with.{kind}", exif=exif)
    textured(0, (40, 30)).save(tmp_path / f"without.{kind}")
    assert examine_file(tmp_path / f"with.{kind}")["exif"] == 1
    assert examine_file(tmp_path / f"with.{kind}")["exif_orientation"] == 3
    assert examine_file(tmp_path / f"without.{kind}")["exif"] == 0


def test_four_letters_in_the_pixels_are_no_exif(tmp_path):
    pixels = np.frombuffer(b"eXIfEXIF" * 300, np.uint8).reshape(40, 60)
    Image.fromarray(pixels).save(tmp_path / "x.pgm")
    assert b"eXIfEXIF" in (tmp_path / "x.pgm").read_bytes()
    assert examine_file(tmp_path / "x.pgm")["exif"] == 0


def test_scores_lie_between_0_and_1():
    for image in drawn().values():
        pixels = np.asarray(image.convert("RGB"))
        for grey in (False, True):
            assert all(0 <= v <= 1 for v in quality_scores(pixels, grey=grey).values())
