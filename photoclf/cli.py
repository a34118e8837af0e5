"""One subcommand a verb; nothing is computed here."""

import sys
from pathlib import Path
from typing import Any

import click

from photoclf import cli_archive, cli_recipes, options
from photoclf.config import RunConfig
from photoclf.errors import PhotoclfError
from photoclf.paths import Workspace

# Each command imports what it needs when it runs: `photoclf --help` must answer at once.


@click.group(
    cls=options.Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="photoclf")
def main(debug: bool) -> None:
    """Tell photographs from everything else in a digitised paper archive."""


for command in ("demo_archive", "scan", "audit", "check", "split", "cache"):
    main.add_command(getattr(cli_archive, command))


for command in ("ablate", "release", "stress"):
    main.add_command(getattr(cli_recipes, command))


@main.command()
@options.workspace
@options.on_split
@options.run_options
def train(workspace: Workspace, **choices: Any) -> None:
    """Train one run; the same choices again go on with it, or return it when it is done."""
    config = RunConfig(**choices)
    from photoclf.train import train as train_run

    run = train_run(config, workspace, progress=True)
    best = run.best_epoch
    click.echo(
        f"{run.run_id}: best epoch {int(best.epoch)}, val_loss {best.val_loss:.4f},"
        f" val_accuracy {best.val_accuracy:.4f}"
    )


@main.command()
@click.argument("space")
@options.workspace
@options.on_split
@click.option("--max-trials", type=click.IntRange(1), show_default="all", help="Trials at most.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    show_default="by cores and memory",
    help="Trials at once on this machine.",
)
@click.option(
    "--scheduler",
    default="",
    show_default="a cluster on this machine",
    help="Address of a Dask cluster, such as tcp://10.0.0.5:8786.",
)
@click.option("--retry-failed", is_flag=True, help="Run failed trials again.")
@click.option("--dry-run", is_flag=True, help="Check the space and show its trials; train nothing.")
def sweep(workspace: Workspace, space: str, dry_run: bool, **choices: Any) -> None:
    """Run the trials of SPACE (a name such as depth, or a YAML file); goes on where it was."""
    from photoclf.points import best_first
    from photoclf.space_file import read_space
    from photoclf.sweep import read_sweep, run_sweep, sweep_is_complete
    from photoclf.sweep_plan import describe_means, plan_means

    wanted, limit = read_space(space), choices["max_trials"]
    if dry_run:
        del choices["retry_failed"]
        click.echo(describe_means(wanted, plan_means(wanted, workspace, **choices)))
        table = read_sweep(wanted, workspace, max_trials=limit).drop(columns="reason")
        click.echo(table.to_string(index=False))
        return
    table = best_first(run_sweep(wanted, workspace, **choices, progress=True), wanted.objective)
    click.echo(table.drop(columns="reason").to_string(index=False))
    for row in table[table.reason != ""].itertuples():
        click.echo(f"trial {row.trial} {row.state}: {row.reason}", err=True)
    sys.exit(0 if sweep_is_complete(wanted, workspace, max_trials=limit) else 1)


@main.command()
@options.workspace
@options.on_split
@click.option("--space", default="", show_default="all runs on the split", help="A sweep's name.")
@click.option("--run", "runs", multiple=True, show_default="all", help="A run; may be repeated.")
@click.option("--plan", is_flag=True, help="Lay evaluations on the splits of a plan side by side.")
def compare(workspace: Workspace, space: str, runs: tuple[str, ...], plan: bool) -> None:
    """Compare finished runs on the same val images, propose one and write the comparison's page."""
    if plan:
        _show_plan(workspace)
        return
    from photoclf.comparison_report import compare as compare_runs
    from photoclf.comparison_report import comparison_folder
    from photoclf.lessons import verdict
    from photoclf.messages import Messages

    comparison = compare_runs(workspace, space=space, runs=runs)
    for table in (comparison.points.drop(columns="run_ids"), comparison.finalists):
        click.echo(f"{table.to_string(index=False, float_format='{:.4g}'.format)}\n")
    click.echo(verdict(comparison, Messages("en")))
    click.echo(f"chosen: {comparison.chosen_run.run_id}")
    click.echo(f"{comparison_folder(workspace, space, runs)}")


def _show_plan(workspace: Workspace) -> None:
    from photoclf.plan_results import plan_results

    results = plan_results(workspace)
    for table in (results.runs, results.summary):
        click.echo(f"{table.to_string(index=False, float_format='{:.3f}'.format)}\n")


@main.command()
@options.workspace
@options.on_split
@options.run_id
@options.evaluation_options
@click.option("--plan", is_flag=True, help="Show a release's figures on left-out sources instead.")
def evaluate(workspace: Workspace, run_id: str, plan: bool, **choices: Any) -> None:
    """Choose threshold and review band on val, open the test once, and write the run's figures."""
    from photoclf import steps

    if plan:
        from photoclf.model_card import left_out_tables

        for table in left_out_tables(steps.find_run_named(workspace, run_id)):
            click.echo(f"{table}\n")
        return
    rule, terms = options.told_rule_and_terms(choices)
    from photoclf.evaluate import evaluate as evaluate_run
    from photoclf.results import evaluation_lines

    run = steps.find_run_named(workspace, run_id)
    evaluation = evaluate_run(run, workspace, rule=rule, terms=terms, progress=True)
    for line in evaluation_lines(evaluation.figures):
        click.echo(line)
    click.echo(f"{evaluation.run.eval_folder}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.workspace
@options.run_id
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="reports/<run>/predictions.csv",
    help="File for the predictions.",
)
def predict(workspace: Workspace, folder: Path, run_id: str, out: Path | None) -> None:
    """Predict every file below FOLDER, without TensorFlow."""
    from photoclf import steps
    from photoclf.predict import summarise

    run = steps.find_run_named(workspace, run_id, or_release=True)
    out = out or workspace.reports / run.run_id / "predictions.csv"
    predictions = steps.predict(workspace, folder, run, out=out, progress=True)
    counts = ", ".join(f"{what} {n}" for what, n in summarise(predictions).items())
    review = int((predictions.triage == "review").sum())
    told = f"; {review} of them in the review band" if review else ""
    click.echo(f"{len(predictions)} files, by {run.run_id}: {counts}{told}\n{out}")


@main.command()
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


@main.command()
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


@main.command()
@options.workspace
@options.archive
@options.positive_folder
@options.ignored_folders
@options.val_fraction
@options.test_fraction
@options.hold_out
@options.split_seed
@options.run_options
def pipeline(
    workspace: Workspace,
    archive: Path | None,
    positive_folder: str,
    ignored_folders: tuple,
    val_fraction: float,
    test_fraction: float,
    hold_out: tuple,
    split_seed: int,
    **choices: Any,
) -> None:
    """Take an archive from its folder to the report; goes on where it was."""
    config = RunConfig(**choices)
    from photoclf.pipeline import PipelineOptions, run_pipeline

    told = PipelineOptions(
        configs=(config,),
        positive_folder=positive_folder,
        ignored_folders=ignored_folders,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        hold_out=hold_out,
        seed=split_seed,
    )
    page = run_pipeline(workspace, archive, told, say=click.echo, progress=True)
    click.echo(f"report: {page}")


@main.command()
@options.workspace
def demo(workspace: Workspace) -> None:
    """Draw the demo archive and take it through the pipeline to the report."""
    from photoclf.demo import run_demo

    page = run_demo(workspace, say=click.echo, progress=True)
    click.echo(f"report: {page}")


@main.command()
@click.option(
    "--only",
    default="input,cache,scan,train,predict,sweep",
    show_default=True,
    help="Parts, by commas.",
)
@click.option("--data", type=click.Path(path_type=Path), show_default="drawn", help="Images.")
@click.option("--rounds", default=5, show_default=True, help="Rounds that count.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(only: str, data: Path | None, rounds: int, as_json: bool) -> None:
    """Measure speed against the reference's way: ratios in one run, no pass marks."""
    import json

    from photoclf.bench import machine, run_bench

    table = run_bench(only.split(","), data=data, rounds=rounds)
    if as_json:
        click.echo(json.dumps({"machine": machine(), "rows": table.to_dict("records")}, indent=2))
        return
    click.echo(table.to_string(index=False, float_format="{:.1f}".format))
    click.echo(", ".join(f"{name} {value}" for name, value in machine().items()))
