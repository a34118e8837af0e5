"""Many texts in little memory."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any


class Names(Sequence[str]):
    """Texts that are kept as UTF-8, one after the other.

    A Python text takes some 60 bytes beside its letters, which a million file names add up to
    more than their letters themselves. File names that aren't UTF-8 are kept as they are.

    Args:
        texts: The texts, in their order.

    Example:
        >>> Names(["a.png", "é.png"])[1]
        'é.png'
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._letters = bytearray()
        self._ends = array("q", [0])
        self.extend(texts)

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts at the end."""
        for text in texts:
            self._letters += text.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._letters))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: Any) -> str:
        i = range(len(self))[place]
        letters = self._letters[self._ends[i] : self._ends[i + 1]]
        return letters.decode("utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Names):
            return NotImplemented
        return self._letters == other._letters and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # it grows
