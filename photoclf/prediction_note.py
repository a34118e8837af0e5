"""The note beside whole predictions: what they were made with; they are never overwritten."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photoclf.files import read_json, sha256_file, write_json
from photoclf.prediction_places import InTheWayError, Places, difference, room_needed


def finished_counts(
    places: Places, facts: Mapping[str, Any], listing: str, *, anew: bool = False
) -> dict[str, int] | None:
    """Tell what whole predictions came to, if they are those that would be made again.

    Args:
        places: Where they are.
        facts: What the model is and decides by.
        listing: See `Checkpoint`, of all files.
        anew: Whether others make way, if nobody has changed them; then there is nothing to tell.

    Raises:
        InTheWayError: If they are others and don't make way: nothing is overwritten.
    """
    note = _note_of_untouched(places)
    if note["made_with"] == facts and note["listing"] == listing:
        places.progress.unlink(missing_ok=True)
        return dict(note["counts"])
    if anew:
        places.out.unlink()
        return None
    changed = "made of other files: of another folder or table, or some were added or changed since"
    why = changed if note["made_with"] == facts else difference(note["made_with"], facts)
    raise InTheWayError(
        f"Predictions that are there must be those that would be made. Received: {places.out},"
        f" {why}. Nothing is overwritten: give another --out FILE, move it away, or let it be made"
        " --anew."
    )


def _note_of_untouched(places: Places) -> dict[str, Any]:
    try:
        note = read_json(places.note)
        untouched = note["sha256"] == sha256_file(places.out)
        known = bool(note["made_with"] and note["listing"] and note["counts"])
    except (OSError, ValueError, LookupError, TypeError):
        untouched = known = False
    if not known or not untouched:
        why = (
            "which somebody has changed since it was written"
            if known
            else (
                f"which isn't known to be predictions ({places.note.name} beside it would say so)"
            )
        )
        raise InTheWayError(
            f"Predictions need a place of their own. Received: {places.out}, {why}. Nothing is"
            " overwritten: give another --out FILE, or move it away."
        )
    return note


def run_of_predictions(out: Path) -> str:
    """Return the run that made predictions, as the note beside them says; empty without a note."""
    try:
        return str(read_json(Places(out).note)["made_with"]["run_id"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def put_in_place(
    places: Places,
    facts: Mapping[str, Any],
    listing: str,
    counts: Mapping[str, int],
    whole: Path,
) -> None:
    """Put whole predictions in their place, with the note on what they were made with.

    Args:
        places: Where to.
        facts: What the model is and decides by.
        listing: See `Checkpoint`, of all files.
        counts: Rows by what became of them.
        whole: The file that becomes the predictions.

    Raises:
        InTheWayError: If other predictions came there meanwhile.
        PredictionError: If the disk is full.
    """
    note = {
        "made_with": dict(facts),
        "rows": sum(counts.values()),
        "counts": dict(counts),
        "listing": listing,
        "sha256": sha256_file(whole),
    }
    if places.out.exists():  # came while others were working
        finished_counts(places, facts, listing)
    with room_needed(places.out):
        write_json(places.note, note)
    os.replace(whole, places.out)
    places.partial.unlink(missing_ok=True)
    places.progress.unlink(missing_ok=True)
