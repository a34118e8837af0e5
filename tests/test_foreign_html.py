"""HTML from anywhere comes out without anything that runs, fetches or misleads."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.preprocessors.sanitize import SanitizeHTML

from photoclf.foreign_css import admit_declarations, admit_rules
from photoclf.foreign_html import Place, admit
from tests.hostile_html import ALLOWED, HOSTILE, PIXEL, Seen, assert_harmless


def seen(html, place=None):
    return Seen(admit(html, place or Place()))


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_that_runs_or_fetches_comes_through(html):
    assert_harmless(admit(f"<p>before</p>{html}<p>after</p>", Place()))


def found_by_a_browser_s_parser(html):
    """Tags that html5lib sees in HTML, which reads it as browsers do, beyond those allowed."""
    implied = ["tbody", "colgroup", "tr", "p"]
    tags = [*(tag for tag, _ in Seen(html).tags), *implied]
    sanitizer = SanitizeHTML(tags=tags, attributes=lambda tag, name, value: name in ALLOWED)
    return sanitizer.sanitize_html_tags(html).count("&lt;") - html.count("&lt;")


OPEN = ["p", "td", "tr", "table", "h1", "pre", "li", "style", "script", "svg", "b", "div"]
SIGNS = ["<", ">", '"', "'", "`", "=", "/", "<!--", "-->", "<![", "]]>", "<?", "&lt;", "&#60;"]
MORE = ["<a href=", "onerror=", "#T_a{", "\x00", "\r", "\n", " ", "é"]
TAGS = [f"<{slash}{tag}>" for tag in OPEN for slash in ("", "/")]
PIECES = st.sampled_from([*HOSTILE, *TAGS, *SIGNS, *MORE])


@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=12).map("".join))
@settings(max_examples=200, deadline=None)
def test_whatever_is_put_together_a_browser_s_parser_finds_nothing_else(html):
    admitted = admit(html, Place())
    assert_harmless(admitted)
    assert found_by_a_browser_s_parser(admitted) == 0


def test_the_oracle_finds_what_was_smuggled_in():
    assert found_by_a_browser_s_parser("<p title='<'>&lt;</p>") == 0
    sneaky = "<p>a</p><!-- --!><img src=x onerror=y> -->"
    tags = SanitizeHTML(tags=["p"], attributes=lambda *_: True).sanitize_html_tags(sneaky)
    assert "&lt;img" in tags


def test_text_stays_as_text_and_scripts_leave_no_word():
    page = seen("<p>1 < 2 &amp; <b>bold</b></p><script>var secret</script><font>kept</font>")
    assert page.text == "1 < 2 & boldkept"


def test_a_deep_pile_of_elements_is_no_danger():
    assert "deep" in admit("<b>" * 50_000 + "deep", Place())


def test_headings_leave_no_gap_and_only_the_first_is_the_title():
    place = Place()
    page = seen("<h3>T</h3><h6>a</h6><h1>b</h1><h2></h2><h4>c</h4><h4>d</h4>", place)
    assert [tag for tag, _ in page.tags if tag[0] == "h"] == ["h1", "h2", "h2", "h3", "h4"]
    assert (place.title, place.heading) == ("T", "d")


def test_each_picture_and_each_region_has_a_name_of_its_own():
    place = Place()
    html = f'<h2>Curves</h2><img src="{PIXEL}"><img src="{PIXEL}" alt="A cat"><pre>a</pre>'
    table = "<table><caption>Costs</caption><tr><td>1</table><table><tr><td>2</table>"
    page = seen(html + table, place)
    assert [image["alt"] for image in page.all("img")] == ["Figure 1: Curves", "A cat"]
    regions = [found["aria-label"] for found in page.all("div") if "role" in found]
    assert regions == ["Text 1: Curves", "Table 1: Costs", "Table 2: Curves"]
    assert all(found["tabindex"] == "0" for found in page.all("div") if "role" in found)


def test_a_picture_from_elsewhere_is_named_and_not_fetched():
    page = seen('<img src="https://example.org/cat.png" alt="A cat">')
    assert page.all("img") == []
    assert "isn’t in the notebook: A cat" in page.text


def test_links_to_the_web_stay_and_those_to_files_become_text():
    page = seen('<a href="https://example.org/?a=1&amp;b=2">web</a> <a href="../x.md">file</a>')
    assert page.all("a") == [{"href": "https://example.org/?a=1&b=2", "rel": "noreferrer"}]
    assert page.text == "web file"


def test_paths_are_shortened_in_text_and_in_what_is_read_out():
    html = f'<h2>/home/anna/x</h2><p>/home/anna/a.png</p><img src="{PIXEL}" alt="/home/anna/b">'
    assert "anna" not in admit(html, Place())


def test_a_frame_of_pandas_keeps_its_numbers_in_columns():
    frame = pd.DataFrame({"name": ["a", "b"], "f1": [0.5, None], "files": [1_000, -3]})
    page = seen(frame._repr_html_())
    heads = [cell.get("class") for tag, cell in page.tags if tag == "th"][:3]
    assert heads == [None, "figure", "figure"], "the empty corner is no heading"
    assert page.all("style") == []
    assert "0.5" in page.text


def test_a_styled_frame_keeps_its_own_rules_and_only_those():
    styled = pd.DataFrame({"a": [1, 2]}).style.highlight_max(color="#d0e0f0").bar(color="#5fba7d")
    html = admit(styled.to_html() + "<style>p { color: white }</style>", Place())
    page = Seen(html)
    assert "background-color: #d0e0f0" in html
    assert "linear-gradient" in html
    assert "white" not in html
    [ids] = [found["id"] for found in page.all("table")]
    assert f"#{ids}_row1_col0" in html


@pytest.mark.parametrize(
    "style",
    ["position: fixed", "display: none", "background: url(x)", "color: var(--x)", "color: \\72 ed",
     "color: red</style>", "opacity: 0", "width: expression(1)", "color", ": red", "color: 'x'"],
)  # fmt: skip
def test_a_declaration_that_does_more_than_dress_a_cell_goes(style):
    assert admit_declarations(style) == ""
    assert admit_rules(f"#T_a {{ {style} }}") == ""


@pytest.mark.parametrize("selector", ["p", "*", "#cases", ".note", "@media print", "#T_a{}p", ""])
def test_a_rule_for_something_else_goes(selector):
    assert "red" not in admit_rules(f"{selector} {{ color: red }}") or selector == "#T_a{}p"


@given(st.text("#T_a {}();:<>/\\'\"@*,url red\n", max_size=60))
def test_no_style_sheet_ends_its_element(css):
    assert "<" not in admit_rules(css)
