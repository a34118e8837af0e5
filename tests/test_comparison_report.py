"""The comparison's page: in both languages, alone, offline, and with every name escaped."""

import itertools
import re
import socket
from html.parser import HTMLParser
from pathlib import Path

import pytest

from photoclf.comparison import compare_runs
from photoclf.comparison_report import FILE_NAMES, compare, comparison_folder, render
from photoclf.files import write_json, write_text
from photoclf.messages import LANGUAGES, wording
from photoclf.paths import Workspace, remember_archive
from photoclf.runs import read_events
from tests.made_runs import make_run
from tests.test_comparison import TABLE, draw_scores, trained

HOSTILE = '<script>alert(1)</script> "dropout" & co?'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("machine_folder") / "ws")
    trials = place.models / "sweeps" / "rates" / "trials"
    rates = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
    for i, (rate, filters, seed) in enumerate(itertools.product(rates, (4, 8), (1, 2))):
        choices = {"learning_rate": rate, "filters": (filters,), "flops": filters * 1_234_567}
        run = trained(place.models, 1 + filters / 8, seed, **choices)
        write_json(trials / f"{i:04d}_0" / "state.json", {"state": "done", "run_id": run.run_id})
    write_json(trials.parent / "trials.json", sorted(path.name for path in trials.iterdir()))
    write_text(place.models / "sweeps" / "rates" / "space.yaml", f"question: '{HOSTILE}'\n")
    compare(place, space="rates")
    return place


class Page(HTMLParser):
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


@pytest.fixture(params=LANGUAGES)
def lang(request):
    return request.param


@pytest.fixture
def raw(workspace, lang):
    return (comparison_folder(workspace, "rates") / FILE_NAMES[lang]).read_text(encoding="utf-8")


@pytest.fixture
def page(raw):
    return Page(raw)


def test_it_says_its_language_its_question_and_five_sentences(page, raw, lang):
    assert page.all("html") == [{"lang": lang}]
    assert HOSTILE in page.text
    assert page.all("script") == []
    lessons = re.search(r'<section id="lessons">.*?</section>', raw)[0]
    assert lessons.count("<li>") == 5


def test_it_loads_nothing_from_elsewhere(page, raw):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"@import|url\(|<link|<iframe|<object|http://|https://", raw)
    assert any("default-src 'none'" in (tag.get("content") or "") for tag in page.all("meta"))
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert len(raw) < 2e6


def test_every_figure_is_described_with_numbers(page):
    described = [tag["alt"] for tag in page.all("img")]
    assert len(described) == 6
    assert all(len(text) > 40 and any(c.isdigit() for c in text) for text in described)


def test_headings_do_not_jump_and_tables_have_captions_and_scopes(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels == [1] + [2] * (len(levels) - 1)
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}


def test_it_holds_no_text_of_the_other_language(page, lang):
    other = "en" if lang == "fr" else "fr"
    for key, texts in wording().items():
        pieces = [p for p in re.split(r"[{}]", texts[other]) if len(p) > 18 and "|" not in p]
        for piece in pieces:
            assert piece.strip().replace("'", "’") not in page.text, key


def test_each_language_has_its_own_numbers_and_spaces(raw, lang):
    shown = "".join(Page(raw.split("</style>")[1]).words).replace(HOSTILE, "")
    said = shown.replace("points.csv", "").split("python")[0]  # versions have points
    assert set(re.findall(r"\d\s?([.])\d", said)) == ({"."} if lang == "en" else set())
    if lang == "fr":
        assert "0,0003" in said
        assert not re.search(r" [;:!?%»]|« |'", said)


def test_it_holds_nothing_of_the_machine(raw):
    words = ["machine_folder", "/tmp/", str(Path.home()) + "/", f"{socket.gethostname()}:"]
    assert [word for word in words if word in raw] == []


def test_the_same_runs_give_the_same_bytes(workspace, raw, lang):
    comparison = compare(workspace, space="rates", pages=False)
    again = render(comparison, read_events(comparison.members), "rates", lang)
    assert again == raw


def test_the_demonstration_archive_is_named_as_such(workspace, tmp_path):
    text = wording()["demo.title"]["en"]
    page = comparison_folder(workspace, "rates") / FILE_NAMES["en"]
    assert text not in page.read_text(encoding="utf-8")
    demo = Workspace(tmp_path / "ws")
    write_text(tmp_path / "archive" / ".photoclf-demo.json", "{}")
    remember_archive(demo, tmp_path / "archive")
    run = trained(demo.models, 2, 1)
    compare(demo, runs=[run.run_id])
    page = comparison_folder(demo, runs=[run.run_id]) / FILE_NAMES["en"]
    assert text in page.read_text(encoding="utf-8")


def test_one_run_and_runs_of_one_point_make_a_page_too(tmp_path, lang):
    run = trained(tmp_path, 2, 1)
    for runs in ([run], [run, trained(tmp_path, 2, 2)]):
        comparison = compare_runs(runs)
        page = Page(render(comparison, read_events(runs), "selected", lang))
        assert (
            wording()["lessons.nothing_varied"][lang].replace("'", "’").split(",")[0] in page.text
        )


def test_two_networks_that_differ_in_much_make_a_page_too(tmp_path, lang):
    runs = [
        make_run(tmp_path, (0.4,), images=TABLE, scores=draw_scores(2, 1)),
        make_run(tmp_path, (0.5,), images=TABLE, scores=draw_scores(1, 2), model="reference_cnn"),
    ]
    page = render(compare_runs(runs), read_events(runs), "all", lang).split("</style>")[1]
    assert "reference_cnn" in Page(page).text
    assert not re.search(r"\b(nan|None)\b", Page(page).text)
