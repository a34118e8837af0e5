"""What a person did at once while labelling, and what undoing it brings back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from photoclf.label_journal import WITHDRAWN


@dataclass(frozen=True)
class Step:
    """What was done at once: one image decided or skipped, or a page of them.

    Args:
        labels: Place in the queue → label; empty where the image was skipped.
        sha256: Place in the queue → hash of the bytes that were decided on.
        before: Place in the queue → the label that held of those bytes until then; only where one
            did: the image stands under two names, or is decided again.
    """

    labels: Mapping[int, str]
    sha256: Mapping[int, str]
    before: Mapping[int, str] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The place that names the step."""
        return next(iter(self.labels))

    def part(self, places: Iterable[int]) -> "Step":
        """Return the step as if only these places had been decided or skipped."""
        kept = set(places)
        parts = (
            {n: value for n, value in values.items() if n in kept}
            for values in (self.labels, self.sha256, self.before)
        )
        return Step(*parts)


@dataclass(frozen=True)
class PastDecision:
    """A decision of an earlier session that still holds.

    Args:
        pathname: The name under which it was made.
        sha256: Of the bytes that were decided on.
        label: What was decided.
        before: The label that undoing it brings back; empty where there was none.
    """

    pathname: str
    sha256: str
    label: str
    before: str


def past_decisions(rows: pd.DataFrame) -> list[PastDecision]:
    """Read from a person's rows what can be taken back.

    A row that says again what holds (the image was drawn at random as well, say) is no decision of
    its own, and one that returns to the label before is that decision taken back.

    Args:
        rows: A `schema.JOURNAL` frame of one person, in the order of the decisions.

    Returns:
        The decision that holds of each content, in the order in which they were made.
    """
    made: dict[str, list[tuple[int, str, str]]] = {}
    columns = zip(rows.pathname, rows.sha256, rows.label, strict=True)
    for moment, (pathname, sha256, label) in enumerate(columns):
        past = made.setdefault(sha256, [])
        if label == WITHDRAWN:
            past.clear()
        elif past and past[-1][2] == label:
            continue
        elif len(past) > 1 and past[-2][2] == label:
            past.pop()
        else:
            past.append((moment, pathname, label))
    held = [
        (*past[-1], sha256, past[-2][2] if len(past) > 1 else "")
        for sha256, past in made.items()
        if past
    ]
    return [
        PastDecision(pathname, sha256, label, before)
        for _, pathname, label, sha256, before in sorted(held)
    ]
