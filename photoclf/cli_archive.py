"""Subcommands from the archive's folder to cached pixels; nothing is computed here."""

from pathlib import Path
from typing import Any

import click

from photoclf import options
from photoclf.config import FITS, STORAGES
from photoclf.paths import Workspace


@click.command("demo-archive")
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


@click.command()
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


@click.command()
@options.workspace
@options.archive
@options.ignored_folders
def audit(workspace: Workspace, archive: Path | None, ignored_folders: tuple) -> None:
    """Examine every file of the archive: data/audit.csv and the ledger."""
    from photoclf import conflicts, steps
    from photoclf.schema import AUDIT
    from photoclf.tables import read_chunks

    counts = steps.audit(workspace, archive, ignored_folders=ignored_folders, progress=True)
    click.echo(counts.to_string(index=False))
    told = conflicts.label_conflicts(read_chunks(workspace.audit, AUDIT, conflicts.COLUMNS))
    if len(told):
        click.echo(told.to_string(index=False, max_rows=20))
        click.echo(f"{len(told)} label conflicts: correct the labels in {workspace.manifest}")
    click.echo(f"{counts.files.sum()} files: {workspace.audit}")


@click.command()
@options.workspace
@click.option("--run", "run_id", default="", show_default="none", help="Take its scores of labels.")
@click.option("--seed", default=42, show_default=True, help="Seed of the checks, 0 or more.")
def check(workspace: Workspace, run_id: str, seed: int) -> None:
    """Check what gives classes away without the picture, and which labels are suspect."""
    from photoclf import checks, steps
    from photoclf.results import shortcut_summary, shortcut_tables

    run = steps.find_run_named(workspace, run_id) if run_id else None
    shortcuts = checks.check_shortcuts(workspace, seed=seed)
    for table in shortcut_tables(shortcuts):
        click.echo(f"{table.to_string(index=False, float_format='{:.3f}'.format)}\n")
    click.echo(shortcut_summary(shortcuts))
    suspects = checks.check_labels(workspace, run, seed=seed, progress=True)
    shown = suspects[["pathname", "label", "score", "label_quality"]].head(20)
    if len(shown):
        click.echo(shown.to_string(index=False, float_format="{:.3f}".format))
    click.echo(f"{len(suspects)} suspected labels, none changed: {workspace.data / 'suspects.csv'}")


@click.command()
@options.workspace
@options.val_fraction
@options.test_fraction
@options.hold_out
@options.split_seed
@options.plan
@options.families
@options.grow
@options.grown_from
def split(
    workspace: Workspace,
    val_fraction: float,
    test_fraction: float,
    hold_out: tuple,
    split_seed: int,
    plan: bool,
    families: Path | None,
    grow: str,
    grown_from: str,
) -> None:
    """Split the used images into train, val and test: data/split.csv."""
    from photoclf import steps
    from photoclf.split import split_hash

    if grow:
        _grow(Workspace(workspace.root, grown_from), grow)
        return
    if plan:
        planned = steps.plan_splits(
            workspace, families=families, val_fraction=val_fraction, seed=split_seed
        )
        for family in planned.families:
            if family.why:
                click.echo(f"one family: {family} ({family.why})")
        for family in planned.always_trained:
            click.echo(f"never left out, too little would be left to learn from: {family}")
        for name, table in planned.splits.items():
            click.echo(f"{_sides(table)}; split {split_hash(table)[:8]}: {name}")
            click.echo(_tested(table))
        click.echo(f"{len(planned.splits)} splits in {workspace.splits}; photoclf train --split …")
        return
    table = steps.split(
        workspace,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        hold_out=hold_out,
        seed=split_seed,
    )
    click.echo(f"{_sides(table)}; split {split_hash(table)[:8]}: {workspace.split}")
    if hold_out:
        click.echo(_tested(table))


def _grow(workspace: Workspace, name: str) -> None:
    from photoclf import steps
    from photoclf.label_lines import growth_lines, next_round_lines
    from photoclf.split import split_hash

    growth = steps.grow_split(workspace, name)
    for line in growth_lines(growth):
        click.echo(line)
    click.echo(f"{_sides(growth.split)}; split {split_hash(growth.split)[:8]}: {name}")
    for line in next_round_lines(name):
        click.echo(line)


def _tested(split: Any) -> str:
    """Tell the test's sources, with those of which only groups came along."""
    from photoclf.split import sources_in_test

    rows = sources_in_test(split).itertuples()
    return "  tests " + ", ".join(f"{row.source} {row.tested}/{row.images}" for row in rows)


def _sides(split: Any) -> str:
    counts = split.split.value_counts()
    return ", ".join(f"{side} {counts[side]}" for side in ("train", "val", "test"))


@click.command()
@options.workspace
@options.on_split
@click.option("--image-size", type=int, default=None, show_default="compact_cnn's", help="In px.")
@click.option("--fit", type=click.Choice(FITS), default="squash", show_default=True)
@click.option("--storage", type=click.Choice(STORAGES), default="exact", show_default=True)
def cache(workspace: Workspace, image_size: int | None, fit: str, storage: str) -> None:
    """Decode the split's images once, for every run at that size."""
    from photoclf import steps

    pixels = steps.cache(workspace, image_size=image_size, fit=fit, storage=storage, progress=True)
    click.echo(f"{len(pixels.pathnames)} images of {pixels.image_size} px in {workspace.cache}")
