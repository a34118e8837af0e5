"""The subcommand of what people labelled; nothing is computed here."""

from pathlib import Path

import click

from photoclf import options
from photoclf.paths import Workspace


@click.command()
@options.workspace
@options.archive
@options.positive_folder
@click.option("--merge", is_flag=True, help="Bring the labels into the manifest, by content.")
@click.option(
    "--class-folder",
    "class_folders",
    multiple=True,
    metavar="NAME",
    show_default="those of the archive",
    help="With --merge: a new class folder that labels name; may be given several times.",
)
@click.option(
    "--conflicts", is_flag=True, help="List the images on which people contradict each other."
)
def label(
    workspace: Workspace,
    archive: Path | None,
    positive_folder: str,
    merge: bool,
    class_folders: tuple[str, ...],
    conflicts: bool,
) -> None:
    """Say what people labelled in 08_label; with --merge, bring it into the manifest."""
    from photoclf.label_agreement import conflicts_table
    from photoclf.label_folders import known_folders, understood
    from photoclf.label_journal import LabelJournal
    from photoclf.label_lines import NOBODY, counted, merge_lines, state_lines

    if class_folders and not merge:
        raise click.UsageError("--class-folder goes with --merge.")
    journal = LabelJournal(workspace.labels).read()
    known = known_folders(workspace, archive, positive_folder=positive_folder)
    if conflicts and journal.empty:
        click.echo(NOBODY)
    elif conflicts:
        table = conflicts_table(understood(journal, known), positive_folder)
        if len(table):
            click.echo(table.drop(columns="sha256").to_string(index=False))
        click.echo(counted(len(table), "conflict"))
    if merge:
        from photoclf.label_merge import merge_labels

        merged = merge_labels(
            workspace, archive, positive_folder=positive_folder, class_folders=class_folders
        )
        for line in merge_lines(merged):
            click.echo(line)
    if not (merge or conflicts):
        for line in state_lines(journal, positive_folder, known):
            click.echo(line)
        click.echo(f"{counted(len(journal), 'decision')}: {workspace.labels}")
