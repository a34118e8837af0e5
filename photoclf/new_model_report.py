"""The page that says whether a new model is better than an old one, French or English."""

from pathlib import Path

from photoclf import flip_sections as flipped
from photoclf import new_model_sections as sections
from photoclf.files import write_text
from photoclf.findings import Findings, read_findings
from photoclf.messages import Messages
from photoclf.new_model import BROKEN, MENDED, NewModel, compare_evaluations
from photoclf.page import sections_page
from photoclf.paths import Workspace
from photoclf.runs import Run
from photoclf.split_files import groups_learnt

FILE_NAMES = {"fr": "nouveau_contre_{old}.fr.html", "en": "new_against_{old}.en.html"}


def render_new_model(
    new: Run,
    old: Run,
    workspace: Workspace,
    *,
    lang: str = "fr",
    archive: str | Path = "",
) -> Path:
    """Compare two evaluated models on the same test images and write the page.

    Args:
        new: An evaluated run of the workspace, or the release.
        old: Another one.
        workspace: Holds the audit and the reports.
        lang: `fr` or `en`.
        archive: The archive's folder, see `paths.resolve_archive`. Without one the page has no
            pictures and says so.

    Returns:
        The page, without script or remote resource: `nouveau_contre_<old>.fr.html` or
        `new_against_<old>.en.html` in `reports/<new>/`. The same evaluations give the same bytes.

    Raises:
        ConfigError: If the language is unknown.
        RunError: See `new_model.compare_evaluations` and `findings.read_findings`.
        TableError: If the archive wasn't audited.

    Example:
        >>> render_new_model(run, load_run(models, "release"), workspace)   # doctest: +SKIP
    """
    text = Messages(lang)
    compared = compare_evaluations(new, old)
    findings = read_findings(new, workspace, archive)
    page = workspace.reports / new.run_id / FILE_NAMES[lang].format(old=old.run_id)
    write_text(page, _page(compared, findings, text))
    return page


def _page(compared: NewModel, findings: Findings, text: Messages) -> str:
    parts = [
        sections.opening(compared, findings, text),
        sections.summary(compared, text),
        sections.worth(compared, _learnt(compared, findings), text),
        sections.measures(compared, text),
        flipped.flips(compared, text),
        flipped.by_folder(compared, text),
        flipped.gallery(compared, BROKEN, findings, text),
        flipped.gallery(compared, MENDED, findings, text),
        sections.provenance(compared, text),
    ]
    return sections_page(parts, text("better.title"), text.lang)


def _learnt(compared: NewModel, findings: Findings) -> int:
    """Count the images left out that the other model, a release, was trained on."""
    sides = {"new": compared.old.run, "old": compared.new.run}
    left_out = compared.left_out
    return sum(
        int(
            left_out.group[left_out.tested_by == side]
            .isin(groups_learnt(other, findings.used))
            .sum()
        )
        for side, other in sides.items()
        if other.is_release
    )
