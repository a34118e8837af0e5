"""One subcommand a verb; nothing is computed here."""

import sys
from pathlib import Path
from typing import Any

import click

from photoclf import options
from photoclf.config import FITS, STORAGES, RunConfig
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


@main.command("demo-archive")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--images-per-class", default=120, show_default=True, help="Images a class folder.")
@click.option("--seed", default=42, show_default=True, help="Seed of the drawings, 0 or more.")
def demo_archive(folder: Path, images_per_class: int, seed: int) -> None:
    """Draw the demo archive into FOLDER: about 600 images, no network needed."""
    from photoclf.demo_archive import draw_demo_archive

    files = draw_demo_archive(folder, images_per_class=images_per_class, seed=seed, progress=_bar)
    click.echo(f"{files} files in {folder}")


def _bar(jobs: Any) -> Any:
    from tqdm import tqdm

    return tqdm(jobs, desc="draw", unit="image")


@main.command()
@options.workspace
@options.archive
@options.positive_folder
@options.ignored_folders
def scan(
    workspace: Workspace, archive: Path | None, positive_folder: str, ignored_folders: tuple
) -> None:
    """Label the archive's files by their folders: data/manifest.csv."""
    from photoclf import steps

    manifest = steps.scan(
        workspace, archive, positive_folder=positive_folder, ignored_folders=ignored_folders
    )
    photos = int(manifest.label.sum())
    if steps.manifest_was_edited(workspace):
        click.echo("Kept as somebody edited it; to scan anew, move it away.")
    click.echo(f"{len(manifest)} labelled files, {photos} photographs: {workspace.manifest}")


@main.command()
@options.workspace
@options.archive
@options.ignored_folders
def audit(workspace: Workspace, archive: Path | None, ignored_folders: tuple) -> None:
    """Examine every file of the archive: data/audit.csv and the ledger."""
    from photoclf import steps
    from photoclf.audit import ledger
    from photoclf.conflicts import label_conflicts

    table = steps.audit(workspace, archive, ignored_folders=ignored_folders, progress=True)
    click.echo(ledger(table).to_string(index=False))
    conflicts = label_conflicts(table)
    if len(conflicts):
        click.echo(conflicts.to_string(index=False, max_rows=20))
        click.echo(f"{len(conflicts)} label conflicts: correct the labels in {workspace.manifest}")
    click.echo(f"{len(table)} files: {workspace.audit}")


@main.command()
@options.workspace
@click.option("--run", "run_id", default="", show_default="none", help="Take its scores of labels.")
@click.option("--seed", default=42, show_default=True, help="Seed of the checks, 0 or more.")
def check(workspace: Workspace, run_id: str, seed: int) -> None:
    """Check what gives classes away without the picture, and which labels are suspect."""
    from photoclf import steps
    from photoclf.results import shortcut_summary, shortcut_tables

    run = steps.find_run_named(workspace, run_id) if run_id else None
    shortcuts = steps.check_shortcuts(workspace, seed=seed)
    for table in shortcut_tables(shortcuts):
        click.echo(f"{table.to_string(index=False, float_format='{:.3f}'.format)}\n")
    click.echo(shortcut_summary(shortcuts))
    suspects = steps.check_labels(workspace, run, seed=seed, progress=True)
    shown = suspects[["pathname", "label", "score", "label_quality"]].head(20)
    if len(shown):
        click.echo(shown.to_string(index=False, float_format="{:.3f}".format))
    click.echo(f"{len(suspects)} suspected labels, none changed: {workspace.data / 'suspects.csv'}")


@main.command()
@options.workspace
@options.val_fraction
@options.test_fraction
@options.hold_out
@options.split_seed
@options.plan
@options.families
def split(
    workspace: Workspace,
    val_fraction: float,
    test_fraction: float,
    hold_out: tuple,
    split_seed: int,
    plan: bool,
    families: Path | None,
) -> None:
    """Split the used images into train, val and test: data/split.csv."""
    from photoclf import steps
    from photoclf.split import split_hash

    if plan:
        planned = steps.plan_splits(
            workspace, families=families, val_fraction=val_fraction, seed=split_seed
        )
        for name, table in planned.items():
            click.echo(f"{_sides(table)}; split {split_hash(table)[:8]}: {name}")
        click.echo(f"{len(planned)} splits in {workspace.splits}")
        return
    table = steps.split(
        workspace,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        hold_out=hold_out,
        seed=split_seed,
    )
    click.echo(f"{_sides(table)}; split {split_hash(table)[:8]}: {workspace.split}")


def _sides(split: Any) -> str:
    counts = split.split.value_counts()
    return ", ".join(f"{side} {counts[side]}" for side in ("train", "val", "test"))


@main.command()
@options.workspace
@click.option("--image-size", type=int, default=None, show_default="compact_cnn's", help="In px.")
@click.option("--fit", type=click.Choice(FITS), default="squash", show_default=True)
@click.option("--storage", type=click.Choice(STORAGES), default="exact", show_default=True)
def cache(workspace: Workspace, image_size: int | None, fit: str, storage: str) -> None:
    """Decode the split's images once, for every run at that size."""
    from photoclf import steps

    pixels = steps.cache(workspace, image_size=image_size, fit=fit, storage=storage, progress=True)
    click.echo(f"{len(pixels.pathnames)} images of {pixels.image_size} px in {workspace.cache}")


@main.command()
@options.workspace
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
@click.option("--max-trials", type=click.IntRange(1), show_default="all", help="Trials at most.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again.")
def sweep(workspace: Workspace, space: str, max_trials: int | None, retry_failed: bool) -> None:
    """Run the trials of SPACE (a name such as depth, or a YAML file); goes on where it was."""
    from photoclf.sweep import read_space, run_sweep

    table = run_sweep(
        read_space(space),
        workspace,
        max_trials=max_trials,
        retry_failed=retry_failed,
        progress=True,
    )
    click.echo(table.sort_values("val_loss").to_string(index=False))
    sys.exit(0 if (table.state == "done").all() else 1)


@main.command()
@options.workspace
def compare(workspace: Workspace) -> None:
    """Compare the finished runs and choose the one with the lowest val_loss."""
    from photoclf import steps

    chosen, losses, accuracies = steps.compare(workspace)
    for name, table in (("val_loss", losses), ("val_accuracy", accuracies)):
        click.echo(f"{name}\n{table.to_string(index=False)}\n")
    click.echo(f"chosen: {chosen.run_id} (lowest val_loss); {workspace.reports / 'comparison'}")


@main.command()
@options.workspace
@options.run_id
def evaluate(workspace: Workspace, run_id: str) -> None:
    """Choose the threshold on val, open the test once, and write the run's figures."""
    from photoclf import steps
    from photoclf.evaluate import evaluate as evaluate_run

    evaluation = evaluate_run(steps.find_run_named(workspace, run_id), workspace, progress=True)
    click.echo(f"{evaluation.run.run_id}: threshold {evaluation.threshold:.4f}")
    for side in ("val", "test"):
        figures = evaluation.figures[side]
        for name in ("recall", "precision", "f1", "accuracy", "roc_auc"):
            value = figures["metrics"][name]
            low, high = figures["intervals"].get(name, (None, None))
            shown = "undefined" if value is None else f"{value:.4f}"
            interval = "" if low is None or high is None else f"  [{low:.4f}, {high:.4f}]"
            click.echo(f"  {side:5}{name:10}{shown}{interval}")
    click.echo(f"{evaluation.run.eval_folder}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
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

    run = steps.find_run_named(workspace, run_id)
    out = out or workspace.reports / run.run_id / "predictions.csv"
    predictions = steps.predict(workspace, folder, run, out=out, progress=True)
    counts = ", ".join(f"{what} {n}" for what, n in summarise(predictions).items())
    click.echo(f"{len(predictions)} files: {counts}\n{out}")


@main.command()
@options.workspace
@options.run_id
@click.option("--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
def report(workspace: Workspace, run_id: str, lang: str) -> None:
    """Render the client's report of an evaluated run as one HTML file."""
    from photoclf import steps
    from photoclf.report import render_report

    run = steps.find_run_named(workspace, run_id)
    click.echo(render_report(run, workspace, lang=lang))


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
    from photoclf.pipeline import run_demo

    page = run_demo(workspace, say=click.echo, progress=True)
    click.echo(f"report: {page}")


@main.command()
@click.option(
    "--only", default="input,cache,scan,train", show_default=True, help="Parts, by commas."
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
