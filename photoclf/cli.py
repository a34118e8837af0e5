"""One subcommand a verb; nothing is computed here."""

import sys
from pathlib import Path
from typing import Any

import click

from photoclf import cli_archive, cli_labels, cli_predict, cli_recipes, cli_reports, options
from photoclf.config import RunConfig
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


main.add_command(cli_reports.evaluate)


main.add_command(cli_predict.predict)


main.add_command(cli_labels.label)


for command in ("report", "render"):
    main.add_command(getattr(cli_reports, command))


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
@click.option(
    "--data", type=click.Path(path_type=Path), show_default="drawn", help="Folder of images."
)
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds that count."
)
@click.option(
    "--memory-files",
    type=click.IntRange(1),
    multiple=True,
    default=[1000],
    show_default=True,
    help="Files that memory is measured with; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print a section for docs/benchmarks.md.")
def bench(only: str, data: Path | None, as_json: bool, markdown: bool, **choices: Any) -> None:
    """Measure speed against the reference's way, Keras's and limits: ratios, no pass marks."""
    import json

    from photoclf.bench import machine, run_bench

    before = machine()
    table = run_bench(only.split(","), data=data, **choices)
    after = machine()
    if as_json:
        rows = [row.dropna().to_dict() for _, row in table.iterrows()]
        click.echo(json.dumps({"before": before, "after": after, "rows": rows}, indent=2))
        return
    if markdown:
        from photoclf.bench_page import as_markdown

        said = [a if "/" not in a else "…" for a in sys.argv[1:] if a != "--markdown"]
        click.echo(as_markdown(table, before, after, " ".join(["photoclf", *said])))
        return
    told = table.dropna(axis=1, how="all")
    click.echo(told.to_string(index=False, float_format="{:.2f}".format, na_rep=""))
    cpu, found = before["cpu"], before["versions"]
    click.echo(f"{cpu['model']}, {cpu['count']} cores, {' '.join(cpu['features'])}")
    click.echo(", ".join(f"{name} {version}" for name, version in found.items()))
    click.echo(f"{before['at']}: load {before['load']}; {after['at']}: load {after['load']}")
