"""The page on a new model: both languages, alone, offline, every name escaped, no word too much."""

import re
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from photoclf.cli import main
from photoclf.errors import RunError, TableError
from photoclf.flip_sections import MOST_PICTURES
from photoclf.manifest import scan_archive
from photoclf.messages import LANGUAGES, Messages, wording
from photoclf.new_model import compare_evaluations
from photoclf.new_model_report import FILE_NAMES, render_new_model
from photoclf.new_model_sections import measures, summary, verdict_text
from photoclf.paths import Workspace
from photoclf.run import Run
from photoclf.schema import AUDIT
from photoclf.tables import write_table
from tests.audits import audited
from tests.made_evaluations import draw_scores, draw_test, evaluated, make_evaluated, make_release
from tests.test_comparison_report import Page

HOSTILE = (
    "Painting/<script>alert(1)</script>.png",
    "Painting/\"onerror='alert(2)' & co.png",
    "Painting/<img src=x onerror=alert(3)>.png",
)


def draw_archive(archive, images=40):
    rng = np.random.default_rng(7)
    names = [f"{f}/box_{i % 4}/{i:03d}.png" for f in ("Painting", "Photo", 'Sketch & "croquis"')
             for i in range(images)]  # fmt: skip
    for name in (*names, *HOSTILE):
        path = archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((80, 64), Image.Resampling.NEAREST).save(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An archive, its audit, and three models on all of its images."""
    place = tmp_path_factory.mktemp("machine_folder")
    draw_archive(place / "archive")
    workspace = Workspace(place / "workspace")
    audit = audited(place / "archive", scan_archive(place / "archive"))
    write_table(audit, workspace.audit, AUDIT)
    used = audit[(audit.status == "used") & ~audit.label_conflict]
    table = used[["pathname", "label", "class_folder", "source", "group", "sha256"]]
    table = table.astype({"label": "int64"}).reset_index(drop=True).assign(split="test")
    rng = np.random.default_rng(3)
    table["hard"] = rng.normal(0, 1, len(table))
    good, bad = draw_scores(table, 2.0, 1), draw_scores(table, 0.7, 2)
    hostile = table.pathname.isin(HOSTILE)
    good[hostile], bad[hostile] = 0.001, 0.999  # mended with the largest jumps
    new, old = (make_evaluated(workspace.models, table, scores) for scores in (good, bad))
    release = make_release(workspace.models, table.sha256[:10])
    known = table.group.isin(table.group[:10])
    evaluated(release, table[~known], bad[~known], split="c" * 64)
    return SimpleNamespace(
        workspace=workspace, archive=place / "archive", table=table, new=new, old=old,
        release=release, known=int(known.sum()),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages(made):
    return {
        lang: render_new_model(
            made.new, made.old, made.workspace, lang=lang, archive=made.archive
        ).read_text(encoding="utf-8")
        for lang in LANGUAGES
    }


@pytest.fixture(params=LANGUAGES)
def lang(request):
    return request.param


@pytest.fixture
def raw(pages, lang):
    return pages[lang]


@pytest.fixture
def page(raw):
    return Page(raw)


def test_it_stands_in_the_new_runs_folder_under_the_old_ones_name(made, pages):
    folder = made.workspace.reports / made.new.run_id
    names = {name.format(old=made.old.run_id) for name in FILE_NAMES.values()}
    assert names == {path.name for path in folder.iterdir()}


def test_it_says_its_language_both_models_and_the_verdict(page, made, lang):
    text = Messages(lang)
    assert page.all("html") == [{"lang": lang}]
    assert page.text.count(made.old.run_id) > 1 < page.text.count(made.new.run_id)
    said = verdict_text(compare_evaluations(made.new, made.old), text)
    assert " ".join(said.split()) in page.text
    assert {"fr": "Le nouveau modèle est meilleur", "en": "The new model is better"}[lang] in said


def test_names_with_markup_are_shown_and_never_run(page, raw):
    assert page.all("script") == []
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert "&lt;img src=x onerror=alert(3)&gt;.png" in raw
    assert "\"onerror='alert(2)' & co.png" in page.text
    assert 'Sketch & "croquis"' in page.text


def test_it_loads_nothing_from_elsewhere_and_stays_small(page, raw):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"@import|url\(|<link|<iframe|<object|http://|https://", raw)
    assert len(raw) < 5e6


def test_it_holds_nothing_of_the_machine(raw):
    words = ["machine_folder", "/tmp/", str(Path.home()) + "/", f"{socket.gethostname()}:"]
    assert [word for word in words if word in raw] == []


def test_headings_do_not_jump_and_tables_have_captions_and_scopes(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels == [1] + [2] * (len(levels) - 1)
    assert len(page.all("caption")) == len(page.all("table")) == 5
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}
    ids = [tag["id"] for tag in page.all("section")]
    assert len(ids) == len(set(ids)) == 8


def test_every_picture_is_described_and_there_are_not_too_many(page, made):
    described = [tag["alt"] for tag in page.all("img")]
    assert all(len(text) > 40 and any(c.isdigit() for c in text) for text in described)
    compared = compare_evaluations(made.new, made.old)
    flipped = [compared.count(kind) for kind in ("mended", "broken")]
    assert max(flipped) > MOST_PICTURES
    assert len(described) == 2 + sum(min(n, MOST_PICTURES) for n in flipped)


def test_it_holds_no_text_of_the_other_language(page, lang):
    other = "en" if lang == "fr" else "fr"
    for key, texts in wording().items():
        pieces = [p for p in re.split(r"[{}]", texts[other]) if len(p) > 18 and "|" not in p]
        for piece in pieces:
            assert piece.strip().replace("'", "’") not in page.text, key


def test_it_shows_no_number_that_is_none(page):
    assert not re.search(r"\b(nan|None)\b", page.text)


def test_the_same_evaluations_give_the_same_bytes(made, raw, lang):
    again = render_new_model(made.new, made.old, made.workspace, lang=lang, archive=made.archive)
    assert again.read_text(encoding="utf-8") == raw


def test_images_that_a_release_learnt_are_left_out_and_told(made, lang):
    text = Messages(lang)
    for pair in ((made.new, made.release), (made.release, made.new)):
        path = render_new_model(*pair, made.workspace, lang=lang, archive=made.archive)
        page = Page(path.read_text(encoding="utf-8"))
        assert " ".join(text("better.left_out_learnt", n=made.known).split()) in page.text
        left = len(made.table) - made.known
        assert f"{left} " in page.text
        assert path.name == FILE_NAMES[lang].format(old=pair[1].run_id)


def test_images_of_another_test_are_left_out_and_told(made, tmp_path):
    some = made.table.iloc[20:]
    new = make_evaluated(tmp_path, some, draw_scores(some, 2, 1), split="d" * 64)
    page = render_new_model(new, made.old, made.workspace, lang="en", archive=made.archive)
    assert "20 test images were left out: only one" in Page(page.read_text()).text


def test_without_the_archive_the_page_says_so_and_keeps_the_names(made, lang):
    path = render_new_model(made.old, made.new, made.workspace, lang=lang)
    page = Page(path.read_text(encoding="utf-8"))
    assert wording()["gallery.unreachable"][lang].split(":")[0].replace("'", "’").strip() in (
        page.text.replace("\u202f", "")
    )
    assert len(page.all("img")) == 2
    assert "onerror=alert(3)" in page.text


def test_other_models_that_opened_the_test_are_told(made, tmp_path):
    table, scores = made.table, draw_scores(made.table, 2, 1)
    run = make_evaluated(tmp_path, table, scores, openings=3, others=["x", made.old.run_id])
    page = render_new_model(run, made.old, made.workspace, lang="en", archive=made.archive)
    said = Page(page.read_text()).text
    assert "opened 3 times by the new model and 1 time by the old one" in said
    assert "1 other model had opened this test too" in said
    assert "No other model" not in said


SAID = {
    "identical": ("la même réponse sur les 120 images", "the same answer on all 120 test images"),
    "same": ("ne prouve pas que les deux se valent", "doesn’t prove the two equal"),
    "few": ("diffèrent que dans 4 groupes", "differ in only 4 groups"),
    "untold": ("ne permettent aucun verdict", "allow no verdict"),
}


@pytest.mark.parametrize("kind", SAID)
def test_what_the_figures_do_not_allow_is_not_said(tmp_path, lang, kind):
    table = draw_test(120)
    old = np.where(table.label == 1, 0.9, 0.1)
    new = old.copy()
    if kind == "few":
        old[np.flatnonzero(table.label)[:8:2]] = 0.2
    elif kind == "same":
        old, new = (np.where(np.arange(120) % 40 == i, 1 - old, old) for i in (3, 7))
    elif kind == "untold":
        table = table[table.label == 0]
        old, new = (scores[table.index] for scores in (old, new))
    runs = [make_evaluated(tmp_path, table, scores) for scores in (new, old)]
    compared = compare_evaluations(*runs)
    assert compared.verdict == ("same" if kind == "identical" else kind)
    text = Messages(lang)
    said = Page(str(summary(compared, text)) + str(measures(compared, text))).text
    assert SAID[kind][LANGUAGES.index(lang)] in said
    for claim in ("better_verdict.better", "better_verdict.worse"):
        assert wording()[claim][lang].split(".")[0] not in said
    assert not re.search(r"\bnan\b", said)
    assert (text("worth.no_value") in said) == (kind == "untold")


def test_a_bound_near_zero_is_never_written_as_zero(made, monkeypatch):
    compared = compare_evaluations(made.new, made.old, draws=20)
    f1 = compared.changes["f1"]
    found = type(f1.difference)(0.012, 0.0002, 0.03, 0.04)
    monkeypatch.setitem(compared.changes, "f1", type(f1)(f1.old, f1.new, found))
    assert "between +0.02 and +3.00" in verdict_text(compared, Messages("en"))


def test_the_command_line_writes_the_page_or_says_what_is_wrong(made):
    place = ["report", "--workspace", str(made.workspace.root), "--run", made.new.run_id]
    done = CliRunner().invoke(main, [*place, "--against", made.old.run_id, "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert Path(done.output.strip()).name == FILE_NAMES["en"].format(old=made.old.run_id)
    same = CliRunner().invoke(main, [*place, "--against", made.new.run_id])
    assert same.exit_code != 0
    assert "must be compared with another one" in same.output


def test_a_workspace_without_the_audit_of_these_images_is_refused(made, tmp_path):
    with pytest.raises(TableError):
        render_new_model(made.new, made.old, Workspace(tmp_path))
    stranger = draw_test(40)
    runs = [make_evaluated(tmp_path, stranger, draw_scores(stranger, q, 1)) for q in (1, 2)]
    with pytest.raises(RunError, match="audit must be that of the run's archive"):
        render_new_model(*runs, made.workspace)


def test_a_release_whose_list_of_images_was_changed_is_refused(made, tmp_path):
    release = make_release(tmp_path, made.table.sha256[:10])
    evaluated(release, made.table[50:], draw_scores(made.table[50:], 1, 1), split="c" * 64)
    (release.folder / "trained_on.txt").write_text("0" * 16)
    with pytest.raises(RunError, match="must be the file"):
        render_new_model(made.new, Run(release.folder), made.workspace)
