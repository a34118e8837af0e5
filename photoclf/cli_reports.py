"""The subcommands from an evaluation to its pages; nothing is computed here."""

from pathlib import Path
from typing import Any

import click

from photoclf import evaluation_options, options
from photoclf.errors import PhotoclfError
from photoclf.paths import Workspace


@click.command()
@options.workspace
@options.on_split
@options.run_id
@evaluation_options.evaluation_options
@click.option("--plan", is_flag=True, help="Show a release's figures on left-out sources instead.")
def evaluate(workspace: Workspace, run_id: str, plan: bool, **choices: Any) -> None:
    """Choose threshold and review band on val, open the test once, and write the run's figures."""
    from photoclf import steps

    if plan:
        from photoclf.model_card import left_out_tables

        for table in left_out_tables(steps.find_run_named(workspace, run_id)):
            click.echo(f"{table}\n")
        return
    rule, terms = evaluation_options.told_rule_and_terms(choices)
    from photoclf.evaluate import evaluate as evaluate_run
    from photoclf.results import evaluation_lines

    run = steps.find_run_named(workspace, run_id)
    evaluation = evaluate_run(run, workspace, rule=rule, terms=terms, progress=True)
    for line in evaluation_lines(evaluation.figures):
        click.echo(line)
    click.echo(f"{evaluation.run.eval_folder}")


@click.command()
@options.workspace
@options.run_id
@click.option("--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
@click.option("--against", default="", metavar="RUN", help="Say if it is better than this run.")
@click.option(
    "--show-only",
    multiple=True,
    metavar="FOLDER",
    show_default="all",
    help="Show the pictures of this folder and blur others; may be given several times.",
)
@click.option(
    "--pdf", is_flag=True, help="Print it to a PDF as well, by an installed Chromium or the like."
)
def report(
    workspace: Workspace, run_id: str, lang: str, against: str, show_only: tuple, pdf: bool
) -> None:
    """Render the client's report of an evaluated run as one HTML file."""
    from photoclf import steps

    if against and show_only:
        raise click.UsageError("--show-only goes with a run's own report, without --against.")
    run = steps.find_run_named(workspace, run_id)
    if against:
        from photoclf.new_model_report import render_new_model

        old = steps.find_run_named(workspace, against)
        page = render_new_model(run, old, workspace, lang=lang)
    else:
        page = _client_report(run, workspace, lang, show_only)
    click.echo(page)
    if pdf:
        from photoclf.pdf import print_page

        click.echo(print_page(page))


def _client_report(run: Any, workspace: Workspace, lang: str, show_only: tuple[str, ...]) -> Path:
    from photoclf.neighbours import illustrate_errors
    from photoclf.report import render_report

    try:
        illustrate_errors(run, workspace)
    except (PhotoclfError, OSError) as error:  # the page does without
        click.echo(f"the page won't show what the model saw in its errors: {error}", err=True)
    return render_report(run, workspace, lang=lang, show_only=show_only)


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="beside the notebook",
    help="File for the page, ending in .html.",
)
def render(notebook: Path, out: Path | None) -> None:
    """Render an executed notebook as one HTML file for colleagues, its code folded."""
    from photoclf.technical_page import render_notebook

    page = render_notebook(notebook, out)
    click.echo(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
