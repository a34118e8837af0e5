"""No English is left on a French page, and no French on an English one: text, alt, figures."""

import ast
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from photoclf.evaluate import evaluate
from photoclf.markup import Html
from photoclf.messages import wording
from photoclf.neighbours import illustrate_errors
from photoclf.paths import Workspace, find_notebook
from photoclf.report import NOTEBOOK
from photoclf.runs import list_runs
from photoclf.schema import AUDIT
from photoclf.stress import stress as measure_stress
from photoclf.tables import read_table

EXAMPLES = sorted((Path(__file__).parents[1] / "reports" / "examples").rglob("*.html"))
# Small words that the other language hasn't: French has "on", "an", "or", "but", "if"; English
# has "pour", "la", "on", "plus", "son".
SMALL = {
    "en": "about all and are at been between by can cannot could did does each every for from had"
    " has have how in into is it its more most must no not of only other out should than that the"
    " their them then there these they this those to was we were what when where which who whose"
    " why will with without would you your",
    "fr": "à au aucun aucune aux avec ce ces cette chaque dans de des donc du elle elles est et"
    " être il ils le les leur leurs mais même ne ni nous ou où par pas peut que qui sa sans"
    " ses si sont sous très un une vos votre vous",
}
PROCESSORS = ("Intel(R) Xeon(R) Processor",)  # of the machine that made the examples
SPOKEN = ("alt", "aria-label", "title", "placeholder", "aria-description")


class Said(HTMLParser):
    """What a reader reads or hears, without names, which are in no language."""

    def __init__(self, html):
        super().__init__()
        self.pieces, self.names, self._open = [], [], []
        self.feed(html)

    @property
    def _of_a_name(self):
        return any(hidden for _, hidden in self._open)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        hidden = attributes.get("translate") == "no" or tag in ("style", "script")
        if not (hidden or self._of_a_name):
            self.pieces += [attributes[name] for name in SPOKEN if attributes.get(name)]
        if tag not in ("img", "br", "meta", "hr", "col"):
            self._open.append((tag, hidden))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if data.strip():
            (self.names if self._of_a_name else self.pieces).append(data)


def words(text):
    """Words, without those that are part of a file's, a setting's or a package's name."""
    found = re.findall(r"(?<![\w./=:-])[^\W\d_]+(?![\w/=-]|[.:]\w)", text.lower())
    return {word for word in found if len(word) > 1 or word == "à"}


def vocabulary(lang):
    templates = [re.sub(r"\{\w+:?(plural)?", " ", texts[lang]) for texts in wording().values()]
    return set().union(*map(words, templates))


@pytest.fixture(scope="module")
def foreign():
    """Language → words that show that a text is in the other one."""
    en, fr = vocabulary("en"), vocabulary("fr")
    return {"fr": (en - fr) | set(SMALL["en"].split()), "en": (fr - en) | set(SMALL["fr"].split())}


def left_over(pieces, foreign, names=()):
    """Find pieces with foreign words: piece → those words. `names` are in no language."""
    named = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name)
    told = {piece: re.sub(rf"(?<!\w)(?:{named})(?!\w)", " ", piece) for piece in pieces}
    found = {piece: words(text) & foreign for piece, text in told.items()}
    return {piece: strange for piece, strange in found.items() if strange}


@pytest.fixture(scope="module")
def made(trained, tiny_archive, tmp_path_factory):
    """A workspace for a report with all its sections: evaluated, stressed, its errors mapped."""
    workspace = Workspace(tmp_path_factory.mktemp("languages") / "workspace")
    shutil.copytree(trained.root, workspace.root)
    [run] = list_runs(workspace.models)
    evaluate(run, workspace, archive=tiny_archive, draws=100)
    measure_stress(run, workspace, images=8)
    illustrate_errors(run, workspace)
    audit = read_table(workspace.audit, AUDIT)
    names = {*audit.pathname, *audit.class_folder, *audit.source, run.provenance["cpu"]["model"]}
    return SimpleNamespace(workspace=workspace, run=run, archive=tiny_archive, names=names)


@pytest.fixture
def said_in(made, monkeypatch):
    """Run the notebook's cells here and gather what the page and its figures say."""
    figures = []
    save = Figure.savefig

    def spy(figure, *args, **options):
        save(figure, *args, **options)
        figures.extend(text.get_text() for text in figure.findobj(Text) if text.get_visible())

    monkeypatch.setattr(Figure, "savefig", spy)

    def gather(lang):
        cells = json.loads(find_notebook(NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        values = {"workspace": str(made.workspace.root), "run_id": made.run.run_id, "lang": lang}
        variables = {"__name__": "__main__"}
        shown = []
        variables["display"] = shown.append
        for cell in cells:
            if cell["cell_type"] != "code":
                continue
            body = ast.parse("".join(cell["source"])).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), "cell", "exec"), variables)
            if "parameters" in cell["metadata"].get("tags", []):
                variables |= values | {"archive": str(made.archive)}
            if last:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), variables)
                shown += [value] if value is not None else []
        assert all(isinstance(section, Html) for section in shown)
        assert len(shown) >= 10
        assert len(figures) > 30
        said = Said("".join(shown))
        said.pieces += [text for text in figures if text.strip()]
        return said

    return gather


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_report_and_its_figures_speak_one_language(said_in, foreign, made, lang):
    said = said_in(lang)
    assert left_over(said.pieces, foreign[lang], [*made.names, *said.names]) == {}


def test_english_planted_into_texts_figures_and_descriptions_is_found(
    said_in, foreign, made, monkeypatch
):
    keys = ("received.title", "cases.alt", "figure.error_rate", "stress.figure", "looked.title")
    for key in keys:  # as if a translation was forgotten; what is foreign was gathered before
        monkeypatch.setitem(wording()[key], "fr", wording()[key]["en"])
    said = said_in("fr")
    found = left_over(said.pieces, foreign["fr"], [*made.names, *said.names]).values()
    for key in keys:
        english = words(re.sub(r"\{.*?\}", " ", wording()[key]["en"])) & foreign["fr"]
        assert english
        assert any(english <= strange for strange in found), key


@pytest.mark.parametrize(
    "html",
    ["<p>Les fichiers of this archive</p>", '<img alt="the curve">', '<b title="Table of it">x</b>',
     '<div aria-label="not found"></div>', "<p><bdi translate='no'>a</bdi> is here</p>"],
)  # fmt: skip
def test_english_is_found_wherever_a_reader_meets_it(html, foreign):
    assert left_over(Said(html).pieces, foreign["fr"]) != {}


def test_french_is_found_on_an_english_page(foreign):
    assert left_over(Said("<p>Table des files</p><b title='un seuil'>x</b>").pieces, foreign["en"])
    assert left_over(["The files à lire"], foreign["en"]) == {"The files à lire": {"à", "lire"}}


@pytest.mark.parametrize(
    "html",
    ["<bdi translate='no'>The photographs of them</bdi>", "<style>p { with: 1 }</style>",
     "<p>models/the_run.html, the.csv, val_loss et from=1</p>", '<p class="the">On est là</p>'],
)  # fmt: skip
def test_names_of_files_and_settings_are_in_no_language(html, foreign):
    assert left_over(Said(html).pieces, foreign["fr"]) == {}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_each_text_speaks_its_language(lang):
    texts = [re.sub(r"\{\w+:?(plural)?", " ", text[lang]) for text in wording().values()]
    assert left_over(texts, set(SMALL["en" if lang == "fr" else "fr"].split())) == {}


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda path: path.name)
def test_an_example_page_speaks_one_language(page, foreign):
    lang = page.suffixes[0].strip(".")
    said = Said(page.read_text(encoding="utf-8"))
    assert len(said.pieces) > 100
    assert left_over(said.pieces, foreign[lang], [*said.names, *PROCESSORS]) == {}
