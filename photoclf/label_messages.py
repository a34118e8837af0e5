"""What a browser that labels may say, checked: whatever else it says means nothing."""

from typing import Any


def as_place(value: Any, count: int) -> int | None:
    """Return a place of a queue of `count` images; None for whatever isn't one."""
    return value if type(value) is int and 0 <= value < count else None


def as_texts(value: Any, count: int) -> dict[int, str]:
    """Return text by place of a queue, whose keys JSON holds as text; empty for anything else.

    Example:
        >>> as_texts({"0": "photo", "7": ""}, 8), as_texts({"x": "photo"}, 8), as_texts([1], 8)
        ({0: 'photo', 7: ''}, {}, {})
    """
    if not isinstance(value, dict):
        return {}
    texts: dict[int, str] = {}
    for key, text in value.items():
        known = isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 10
        n = as_place(int(key), count) if known else None
        if n is None or not isinstance(text, str):
            return {}
        texts[n] = text
    return texts


def as_images(value: Any, count: int) -> list[tuple[int, str]]:
    """Return the images that are asked for, each a place and a size; others are left out."""
    images = []
    for pair in value if isinstance(value, list) else []:
        place, size = pair if isinstance(pair, list) and len(pair) == 2 else (None, "")
        n = as_place(place, count)
        if n is not None and isinstance(size, str):
            images.append((n, size))
    return images
