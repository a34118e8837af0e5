"""Pages printed by a real browser where there is one, and by browsers that misbehave."""

import os
import re
import stat
import sys
import time
from pathlib import Path

import pytest

from photoclf import pdf
from photoclf.markup import element, table
from photoclf.page import sections_page
from photoclf.pdf import BROWSER_VARIABLE, BrowserError, find_browser, print_page

posix = pytest.mark.skipif(os.name != "posix", reason="the fake browsers are shell scripts")


def browser_or_none():
    try:
        return find_browser()
    except BrowserError:
        return None


needs_browser = pytest.mark.skipif(browser_or_none() is None, reason="no browser is installed")


@pytest.fixture
def page(tmp_path):
    """Three sheets of paper: a heading, and two sections that each begin one."""
    sheets = [element("h2", f"Sheet {n}", style="break-before: page") for n in (2, 3)]
    costs = table("Costs", ["what", "n"], [["a", 1], ["b", 2]])
    html = sections_page([element("h1", "Rapport à l’essai"), costs, *sheets], "Essai", "fr")
    path = tmp_path / "a folder é" / "rapport.fr.html"
    path.parent.mkdir()
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Have a shell script be the browser; it finds the PDF that it is to write in $out."""

    def make(body):
        script = tmp_path / "browser"
        find = 'for a in "$@"; do case "$a" in --print-to-pdf=*) out="${a#*=}";; esac; done\n'
        script.write_text(f"#!/bin/sh\n{find}{body}\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(BROWSER_VARIABLE, str(script))
        return script

    return make


def left_beside(page):
    return sorted(path.name for path in page.parent.iterdir())


@needs_browser
class TestARealBrowser:
    def test_prints_every_sheet_on_a4_with_its_title_and_language(self, page):
        out = print_page(page)
        assert out == page.with_suffix(".pdf")
        data = out.read_bytes()
        assert len(re.findall(rb"/Type /Page\b", data)) == 3
        [(width, height)] = {
            (round(float(w)), round(float(h)))
            for w, h in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
        }
        assert (abs(width - 595) <= 1, abs(height - 842) <= 1) == (True, True), "A4 in points"
        assert b"/Lang (fr)" in data
        assert "Essai".encode("utf-16-be").hex().upper().encode() in data or b"(Essai)" in data
        assert left_beside(page) == ["rapport.fr.html", "rapport.fr.pdf"]

    def test_a_screen_reader_and_a_table_of_contents_find_their_way(self, page):
        data = print_page(page).read_bytes()
        assert b"/StructTreeRoot" in data
        assert b"/Outlines" in data

    def test_two_prints_of_a_page_are_the_same_bytes(self, page):
        first = print_page(page).read_bytes()
        time.sleep(1.1)  # a date of printing would be another one now
        assert print_page(page).read_bytes() == first
        assert b"CreationDate" not in first
        assert b"ModDate" not in first

    def test_names_neither_the_page_s_folder_nor_the_browser_s_address_line(self, page):
        data = print_page(page).read_bytes()
        assert b"file:" not in data
        assert str(page.parent).encode() not in data


@posix
class TestABrowserThatFails:
    @pytest.fixture(autouse=True)
    def _an_old_pdf(self, page):
        page.with_suffix(".pdf").write_bytes(b"the last one")
        yield
        assert page.with_suffix(".pdf").read_bytes() == b"the last one"
        assert left_beside(page) == ["rapport.fr.html", "rapport.fr.pdf"]

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("echo no display >&2; exit 7", r"exit code 7.*said: 'no display'"),
            ("exit 0", "0 bytes that are no whole PDF"),
            ('printf "%%PDF-1.4 and then the disk was full" >"$out"', "no whole PDF"),
            ('printf "<html>%%%%EOF" >"$out"', "no whole PDF"),
            ("kill -SEGV $$", "exit code -11"),
        ],
    )
    def test_is_told_with_what_it_said(self, page, fake, body, told):
        fake(body)
        with pytest.raises(BrowserError, match=told) as error:
            print_page(page)
        assert "any browser" in str(error.value)

    def test_is_ended_when_it_hangs_and_so_is_what_it_started(self, page, fake, tmp_path):
        alive = tmp_path / "alive"
        fake(f'(sleep 2; touch "{alive}") & sleep 60')
        began = time.monotonic()
        with pytest.raises(BrowserError, match=r"nothing after 0.5 s"):
            print_page(page, timeout_s=0.5)
        assert time.monotonic() - began < 2
        time.sleep(2)
        assert not alive.exists()

    def test_that_cannot_be_run_is_an_error_too(self, page, fake):
        fake("").write_bytes(b"\x7fELF no program")
        with pytest.raises(BrowserError, match="must print the page"):
            print_page(page)


@posix
class TestHowABrowserIsCalled:
    @pytest.mark.parametrize(("user", "given"), [(0, 1), (1000, 0)])
    def test_its_sandbox_is_given_up_for_root_alone(self, page, fake, monkeypatch, user, given):
        fake('echo "$@" >"$0.told"; printf "%%PDF-1.4\\n%%%%EOF" >"$out"')
        monkeypatch.setattr(os, "geteuid", lambda: user)
        print_page(page)
        told = Path(os.environ[BROWSER_VARIABLE] + ".told").read_text(encoding="utf-8")
        assert told.count("--no-sandbox") == given
        assert "--no-proxy-server --host-resolver-rules=MAP * ~NOTFOUND" in told
        assert "--user-data-dir=" in told
        assert "--no-pdf-header-footer" in told

    def test_dates_are_blanked_and_no_byte_moves(self, page, fake):
        dated = "%PDF-1.4 /CreationDate (D:20260101120000+00'00')\n/ModDate (D:2026)>> %%EOF"
        fake(f"""cat >"$out" <<'END'\n{dated}\nEND""")
        data = print_page(page).read_bytes()
        assert len(data) == len(dated) + 1
        assert b"2026" not in data
        assert data.endswith(b">> %%EOF\n")

    def test_names_of_cells_are_numbered_in_their_order_and_no_byte_moves(self, page, fake):
        named = "%PDF-1.4 [(node00000324) (node00000330)] (node00000324) %%EOF"
        fake(f"""printf '{named.replace("%", "%%")}' >"$out\"""")
        data = print_page(page).read_bytes()
        assert data == b"%PDF-1.4 [(node00000000) (node00000001)] (node00000000) %%EOF"


class TestWithoutABrowser:
    @pytest.fixture(autouse=True)
    def _nothing_installed(self, tmp_path, monkeypatch):
        monkeypatch.delenv(BROWSER_VARIABLE, raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(pdf, "_usual_places", lambda: iter(()))

    def test_the_error_says_what_to_install_name_or_do_instead(self, page):
        with pytest.raises(BrowserError, match=r"must be installed.*chromium.*\$CHROME.*any brow"):
            print_page(page)
        assert left_beside(page) == ["rapport.fr.html"]

    def test_a_wrong_name_in_the_variable_is_not_passed_over(self, page, monkeypatch):
        monkeypatch.setenv(BROWSER_VARIABLE, "/nowhere/chrome")
        with pytest.raises(BrowserError, match=r"\$CHROME must name.*'/nowhere/chrome'"):
            print_page(page)

    @pytest.mark.skipif(sys.platform == "win32", reason="programs have other names there")
    def test_the_usual_places_are_searched(self, page, tmp_path, monkeypatch):
        there = tmp_path / "Google Chrome"
        there.write_text("#!/bin/sh\n")
        there.chmod(0o755)
        monkeypatch.setattr(pdf, "_usual_places", lambda: iter([tmp_path / "no", there]))
        assert find_browser() == there


@pytest.mark.parametrize(("system", "place"), [("darwin", "Contents/MacOS"), ("win32", ".exe")])
def test_macos_and_windows_have_places_of_their_own(monkeypatch, system, place):
    monkeypatch.setattr(sys, "platform", system)
    places = [path.as_posix() for path in pdf._usual_places()]
    assert len(places) >= 6
    assert all(place in where for where in places)


def test_a_page_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BrowserError, match="Render it first"):
        print_page(tmp_path / "report.en.html")
