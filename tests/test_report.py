"""The client's page, rendered by the real notebook from a small drawn archive."""

import itertools
import json
import re
import socket
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import (
    acceptance_sections,
    error_sections,
    gallery_sections,
    sections,
    shortcut_sections,
)
from photoclf.config import RunConfig
from photoclf.errors import ConfigError, RunError
from photoclf.findings import read_findings
from photoclf.markup import Html, element, table
from photoclf.messages import Messages, wording
from photoclf.paths import Workspace, find_notebook
from photoclf.report import NOTEBOOK, render_report
from photoclf.runs import create_run
from photoclf.schema import AUDIT, STRESS, check_table
from photoclf.stress import CHANGES
from photoclf.stress_sections import robustness
from photoclf.subgroups import SMALL_GROUP
from photoclf.tables import write_table
from tests.made_reports import draw_archive, make_workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("machine_folder")
    draw_archive(place / "archive")
    return make_workspace(place / "workspace", place / "archive")


@pytest.fixture(scope="module")
def findings(made):
    return read_findings(made.run, made.workspace, made.archive)


@pytest.fixture(scope="module")
def pages(made):
    return {
        lang: render_report(made.run, made.workspace, lang=lang, archive=made.archive)
        for lang in ("fr", "en")
    }


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, text, headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(params=["fr", "en"])
def lang(request):
    return request.param


@pytest.fixture
def raw(pages, lang):
    return pages[lang].read_text(encoding="utf-8")


@pytest.fixture
def page(raw):
    return Page(raw)


@pytest.mark.notebooks
class TestRenderedPage:
    def test_stands_in_the_reports_folder_of_its_run(self, made, pages):
        folder = made.workspace.reports / made.run.run_id
        assert sorted(p.name for p in folder.iterdir()) == ["rapport.fr.html", "report.en.html"]
        assert pages["fr"].stat().st_size < 5e6

    def test_says_its_language_and_title(self, page, lang):
        assert page.all("html") == [{"lang": lang}]
        assert wording()["page.title"][lang] in page.text

    def test_names_with_markup_are_shown_and_never_run(self, page, raw):
        assert page.all("script") == []
        assert not any(name.startswith("on") for _, found in page.tags for name in found)
        assert {tag["src"].split(":")[0] for tag in page.all("img")} == {"data"}
        assert "&lt;img src=x onerror=alert(3)&gt;.png" in raw
        assert "<img src=x onerror=alert(3)>.png" in page.text
        assert "\"onerror='alert(2)' & co.png" in page.text
        assert "Painting/<script>alert(1)<" in page.text
        assert 'Sketch & "croquis"' in page.text

    def test_loads_nothing_from_elsewhere(self, page, raw):
        for _, attributes in page.tags:
            for name in ("src", "href", "srcset", "data", "action", "poster"):
                assert (attributes.get(name) or "data:").startswith("data:")
        assert not re.search(r"@import|url\(|<link|<iframe|<object|<embed|http://|https://", raw)
        policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        assert {"http-equiv": "Content-Security-Policy", "content": policy} in page.all("meta")

    def test_shows_neither_code_nor_the_notebooks_prose(self, page):
        cells = json.loads(find_notebook(NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            for line in cell["source"]:
                assert len(line) < 20 or line.strip() not in page.text
        assert "findings" not in page.text

    def test_every_picture_is_described(self, page):
        described = [tag["alt"] for tag in page.all("img")]
        assert len(described) > 5
        assert all(len(text) > 20 for text in described)
        assert sum(any(c.isdigit() for c in text) for text in described) == len(described)

    def test_headings_do_not_jump(self, page):
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))

    def test_tables_have_captions_and_scopes(self, page):
        assert len(page.all("caption")) == len(page.all("table")) >= 5
        assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}

    def test_holds_no_text_of_the_other_language(self, page, lang):
        other = "en" if lang == "fr" else "fr"
        for key, texts in wording().items():
            pieces = [p for p in re.split(r"[{}]", texts[other]) if len(p) > 18 and "|" not in p]
            for piece in pieces:
                assert piece.strip().replace("'", "’") not in page.text, key

    def test_holds_nothing_of_the_machine(self, raw):
        words = ["machine_folder", "/tmp/", str(Path.home()), f"{socket.gethostname()}:"]
        assert [word for word in words if len(word) > 1 and word in raw] == []

    def test_the_same_evaluation_gives_the_same_bytes(self, made, pages):
        before = pages["fr"].read_bytes()
        again = render_report(made.run, made.workspace, archive=made.archive)
        assert (again, again.read_bytes()) == (pages["fr"], before)


def test_the_ledger_adds_up_to_the_files_received(findings):
    files = [p for p in findings.archive.rglob("*") if p.is_file()]
    assert findings.ledger.files.sum() == len(files) == len(findings.audit)
    page = Page(sections.received(findings, Messages("en")))
    assert f"Total of files received{len(files)}" in page.text
    for reason in ("empty_file", "same_bytes", "not_an_image"):
        assert wording()[f"reason.{reason}"]["en"].replace("'", "’") in page.text


def test_the_four_cases_add_up_to_the_test_images(findings):
    counts = findings.figures["test"]["confusion"]
    assert sum(counts.values()) == findings.figures["test"]["images"]
    page = Page(error_sections.cases(findings, Messages("en")))
    for count in counts.values():
        assert str(count) in page.text


def test_small_groups_are_marked_and_large_ones_are_not(findings):
    text = Messages("en")
    marks = Page(error_sections.by_folder(findings, text)).text.count(text("folders.small"))
    rows = [*findings.evaluation.groups("class_folder"), *findings.worst_sources()]
    assert marks == sum(row["images"] < SMALL_GROUP for row in rows) > 0


def test_the_gallery_shows_the_most_confident_errors_first(findings):
    page = Page(gallery_sections.gallery(findings, Messages("en"), most=5))
    assert len(page.all("img")) == 5
    assert f"5 most confident errors, of {len(findings.errors)}" in page.text


def test_the_gallery_says_so_when_there_is_no_error(findings, monkeypatch):
    monkeypatch.setitem(findings.__dict__, "errors", findings.errors.iloc[:0])
    page = Page(gallery_sections.gallery(findings, Messages("en")))
    assert "wrong on none" in page.text
    assert page.all("img") == []


def test_the_gallery_says_so_when_the_archive_is_out_of_reach(made, monkeypatch):
    monkeypatch.delenv("PHOTOCLF_ARCHIVE", raising=False)
    findings = read_findings(made.run, made.workspace)
    page = Page(gallery_sections.gallery(findings, Messages("fr")))
    assert "n’était pas accessible" in page.text
    assert page.all("img") == []


def test_an_image_that_changed_since_it_was_measured_is_not_shown(made, findings, tmp_path):
    pathname = findings.errors.pathname[0]
    (tmp_path / pathname).parent.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / pathname, "PNG")
    elsewhere = read_findings(made.run, made.workspace, tmp_path)
    assert elsewhere.picture(pathname) == "changed"
    assert elsewhere.picture("Photo/gone.png") == "no_picture"


def test_pictures_that_may_not_be_shown_are_blurred(made, findings):
    shown = read_findings(made.run, made.workspace, made.archive, ["Painting/"])
    painting, photo = (
        next(name for name in findings.errors.pathname if name.startswith(folder))
        for folder in ("Painting/", "Photo/")
    )
    assert (shown.picture(painting) == findings.picture(painting)).all()
    whole, blurred = findings.picture(photo), shown.picture(photo)
    assert blurred.shape == whole.shape
    assert np.abs(np.diff(blurred.astype(int), axis=1)).max() < 60
    assert np.abs(np.diff(whole.astype(int), axis=1)).max() > 60
    text = Messages("fr")
    assert "Hors de Painting/" in Page(gallery_sections.gallery(shown, text)).text
    with pytest.raises(ConfigError, match="Did you mean 'Photo'"):
        read_findings(made.run, made.workspace, made.archive, ["Phot"])


def test_the_demonstration_archive_is_named_as_such(made, findings, tmp_path):
    text = Messages("en")
    assert not findings.is_demo
    assert text("demo.title") not in sections.opening(findings, text)
    (tmp_path / ".photoclf-demo.json").write_text("{}")
    demo = read_findings(made.run, made.workspace, tmp_path)
    assert text("demo.title") in sections.opening(demo, text)
    assert text("limits.demo") in Page(sections.limits(demo, text)).text


def test_other_openings_of_the_test_are_told(findings, monkeypatch):
    monkeypatch.setitem(findings.figures, "test_opened_by_other_runs", ["another_run"])
    text = Messages("en")
    assert "consulted 2 times, for 2 models" in Page(sections.limits(findings, text)).text
    assert "another_run" in Page(sections.provenance(findings, text)).text


def test_measures_without_a_value_are_said_to_have_none(findings, monkeypatch):
    test = findings.figures["test"]
    monkeypatch.setitem(test["metrics"], "precision", None)
    monkeypatch.setitem(test["intervals"], "precision", [None, None])
    assert "not applicable" in Page(sections.worth(findings, Messages("en"))).text


BLIND = {
    "images": 60,
    "high": True,
    "always_photo_f1": 0.46,
    "metrics": {"f1": 0.83, "roc_auc": 0.96, "recall": 0.9, "precision": 0.7, "accuracy": 0.8},
    "features": [{"feature": "encoding", "roc_auc": 0.79, "auc_lost_without": 0.33}],
    "sources": [
        {"class_folder": "Photo", "source": "<b>", "images": 20, "sure": 19,
         "trait": "JPEG RGB 128 × 128", "of_this_label": 1.0}
    ],
}  # fmt: skip


def test_a_sorting_that_sees_no_picture_stands_beside_the_model(findings):
    blind = findings.figures["baseline_metadata"]
    assert blind["images"] == findings.figures["test"]["images"]
    text = Messages("en")
    page = Page(sections.worth(findings, text))
    assert text("worth.metadata") in page.text
    assert page.text.count(text.percent(blind["metrics"]["accuracy"])) >= 1


def test_file_properties_that_give_the_class_away_are_warned_of(findings, monkeypatch):
    monkeypatch.setitem(findings.figures, "baseline_metadata", BLIND)
    text = Messages("fr")
    raw = shortcut_sections.shortcuts(findings, text)
    page = Page(raw)
    assert " ".join(text("shortcuts.warning").split()) in page.text
    assert "un F1 de 0,83" in page.text
    assert "JPEG RGB 128 × 128" in page.text
    assert "Photo/&lt;b&gt;" in raw
    alarm = {"alarm": "shortcuts", "blind": 0.83, "model": 0.9}
    monkeypatch.setitem(findings.figures, "alarms", [alarm])
    assert "un F1 de 0,83" in Page(acceptance_sections.acceptance(findings, text)).text


def test_file_properties_that_say_little_reassure(findings, monkeypatch):
    monkeypatch.setitem(findings.figures, "baseline_metadata", BLIND | {"high": False})
    text = Messages("en")
    page = Page(shortcut_sections.shortcuts(findings, text))
    assert text("shortcuts.low") in page.text
    assert text("shortcuts.warning") not in page.text


@pytest.mark.parametrize(("low", "key"), [(0.84, "does clearly"), (0.82, "does not do clearly")])
def test_a_model_is_ahead_when_its_interval_clears_the_blind_sorting(
    findings, monkeypatch, low, key
):
    monkeypatch.setitem(findings.figures, "baseline_metadata", BLIND)
    monkeypatch.setitem(findings.figures["test"]["intervals"], "f1", [low, 0.99])
    page = Page(shortcut_sections.shortcuts(findings, Messages("en")))
    assert key in page.text


def test_an_evaluation_from_before_the_check_says_that_it_was_not_made(findings, monkeypatch):
    monkeypatch.delitem(findings.figures, "baseline_metadata")
    text = Messages("en")
    assert text("shortcuts.unknown") in Page(shortcut_sections.shortcuts(findings, text)).text
    assert "not applicable" in Page(sections.worth(findings, text)).text


def test_images_that_seem_misfiled_are_told(findings, monkeypatch):
    monkeypatch.setitem(findings.figures, "suspected_labels", 3)
    assert "For 3 images of the setting" in Page(sections.found(findings, Messages("en"))).text
    monkeypatch.setitem(findings.figures, "suspected_labels", 0)
    assert "of the setting" not in Page(sections.found(findings, Messages("en"))).text


def test_a_report_needs_an_evaluated_run(made, tmp_path):
    workspace = Workspace(tmp_path)
    run = create_run(workspace.models, RunConfig(), {})
    with pytest.raises(RunError, match="must have been evaluated"):
        render_report(run, workspace)


def test_a_report_refuses_the_audit_of_another_archive(made, tmp_path):
    workspace = Workspace(tmp_path)
    audit = pd.DataFrame([dict.fromkeys(AUDIT.columns, "") | {"bytes": 1, "mtime_ns": 1}])
    write_table(audit.assign(label_conflict=False), workspace.audit, AUDIT)
    with pytest.raises(RunError, match="audit must be that of the run's archive"):
        read_findings(made.run, workspace)


def test_an_unknown_language_is_refused_before_anything_runs(made):
    with pytest.raises(ConfigError, match="`lang` must be one of"):
        render_report(made.run, made.workspace, lang="de")


def test_only_html_stays_html():
    assert element("p", "<b>", Html("<i>"), title='"') == '<p title="&quot;">&lt;b&gt;<i></p>'
    assert "&lt;b&gt;" in table("<b>", ["<b>"], [["<b>"]])


def test_names_no_page_can_hold_are_made_fit():
    shown = element("p", "a\udcff\x00b\u202egnp.exe")
    shown.encode("utf-8")
    assert "\u202e" not in shown
    assert "\\udcff" in shown


def test_the_notebook_is_thin_and_committed_without_outputs():
    cells = json.loads(find_notebook(NOTEBOOK).read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    assert len(code) <= 20
    assert all(len(cell["source"]) <= 12 and cell["outputs"] == [] for cell in code)
    assert not any("def " in line for cell in code for line in cell["source"])


def stress_table(findings, harsh=0.6):
    """Recall falls to `harsh` at the harshest blur; all else stays as it is."""
    rows = []
    for change, levels in {"none": (0,), **{k: v for k, (_, v) in CHANGES.items()}}.items():
        for level in levels:
            recall = harsh if (change, level) == ("blur", 16) else 0.95
            rows.append({"change": change, "level": level, "images": 60, "photos": 30})
            rows[-1] |= {k: findings.figures[k] for k in ("threshold", "temperature")}
            rows[-1] |= {"recall": recall, "recall_low": recall - 0.1, "recall_high": recall + 0.04}
            rows[-1] |= {"precision": 0.9, "precision_low": 0.8, "precision_high": 0.95}
    return check_table(pd.DataFrame(rows), STRESS)


class TestRobustness:
    def test_a_run_that_was_not_stressed_says_so(self, findings, lang):
        page = str(robustness(findings, Messages(lang)))
        assert Messages(lang)("stress.unknown").split(" ")[-1] in page
        assert "<img" not in page

    def test_what_hurts_is_named_drawn_and_in_the_table(self, findings, lang, made):
        path = made.run.eval_folder / "stress.csv"
        write_table(stress_table(findings), path, STRESS)
        page = Page(str(robustness(findings, Messages(lang))))
        path.unlink()
        text = " ".join(page.words)
        assert {"fr": "flou", "en": "blur"}[lang] in text
        assert {"fr": "60,0", "en": "60.0"}[lang] in text
        assert {"fr": "0,25", "en": "0.25"}[lang] in text, "contrast's harshest level"
        [image] = page.all("img")
        assert {"fr": "Flou", "en": "Blur"}[lang] in image["alt"]

    def test_jpeg_stays_jpeg_amid_a_sentence(self, findings, made):
        path = made.run.eval_folder / "stress.csv"
        table = stress_table(findings)
        table.loc[table.change == "jpeg", "recall"] = 0.5
        write_table(table, path, STRESS)
        page = str(robustness(findings, Messages("en")))
        path.unlink()
        assert "JPEG compression, blur" in page

    def test_a_model_that_holds_is_said_to(self, findings, made):
        path = made.run.eval_folder / "stress.csv"
        write_table(stress_table(findings, harsh=0.93), path, STRESS)
        page = str(robustness(findings, Messages("en")))
        path.unlink()
        assert "fewer than 5" in page

    @pytest.mark.parametrize("spoilt", ["", "change;level\n", "other decision", "header only"])
    def test_what_was_spoilt_or_measured_at_another_decision_is_not_shown(
        self, findings, made, spoilt
    ):
        path = made.run.eval_folder / "stress.csv"
        if spoilt == "other decision":
            write_table(stress_table(findings).assign(threshold=0.123), path, STRESS)
        elif spoilt == "header only":
            write_table(stress_table(findings).iloc[:0], path, STRESS)
        else:
            path.write_text(spoilt)
        assert findings.stress is None
        path.unlink()


def test_tables_that_the_page_can_do_without_may_be_spoilt(findings, made):
    path = made.run.eval_folder / "suspects.csv"
    before = path.read_bytes()
    path.write_text("spoilt")
    (made.run.eval_folder / "neighbours.csv").write_bytes(b"\xff\x00")
    text = Messages("fr")
    assert "<section" not in gallery_sections.suspects(findings, text)
    assert "<section" not in gallery_sections.neighbours(findings, text)
    path.write_bytes(before)
    (made.run.eval_folder / "neighbours.csv").unlink()


class TestWhatTheModelLookedAt:
    def written(self, made, findings, place):
        """One map, warm at one place, of the most confident error."""
        heat = np.zeros((1, 30, 30), np.uint8)
        heat[0][place] = 255
        np.savez(
            made.run.eval_folder / "heat.npz",
            pathnames=np.array([findings.errors.pathname[0]]),
            pixels=np.full((1, 30, 30, 3), 90, np.uint8),
            heat=heat,
        )

    def test_an_error_s_map_is_shown_and_said_in_words(self, made, findings, lang):
        self.written(made, findings, np.s_[2:6, 24:29])
        page = Page(str(gallery_sections.looked_at(findings, Messages(lang))))
        (made.run.eval_folder / "heat.npz").unlink()
        [image] = page.all("img")
        assert {"fr": "en haut à droite", "en": "at the top right"}[lang] in image["alt"]

    def test_a_map_in_which_nothing_speaks_for_a_photograph_says_so(self, made, findings):
        self.written(made, findings, np.s_[:0])
        page = str(gallery_sections.looked_at(findings, Messages("en")))
        (made.run.eval_folder / "heat.npz").unlink()
        assert "nothing in it speaks" in page

    def test_without_maps_the_section_is_left_out(self, findings):
        assert "looked" not in str(gallery_sections.looked_at(findings, Messages("en")))
