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
@click.option("--conflicts", is_flag=True, help="List the images that people contradict on.")
def label(
    workspace: Workspace, archive: Path | None, positive_folder: str, merge: bool, conflicts: bool
) -> None:
    """Say what people labelled in 08_label, and merge it into the manifest."""
    from photoclf.label_agreement import conflicts_table
    from photoclf.label_journal import LabelJournal
    from photoclf.label_lines import merge_lines, state_lines

    journal = LabelJournal(workspace.labels).read()
    if conflicts:
        table = conflicts_table(journal, positive_folder)
        if len(table):
            click.echo(table.drop(columns="sha256").to_string(index=False))
        click.echo(f"{len(table)} conflicts")
    if merge:
        from photoclf.label_merge import merge_labels

        for line in merge_lines(merge_labels(workspace, archive, positive_folder=positive_folder)):
            click.echo(line)
    if not (merge or conflicts):
        for line in state_lines(journal, positive_folder):
            click.echo(line)
        click.echo(f"{len(journal)} decisions: {workspace.labels}")
