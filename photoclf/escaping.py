"""File names of any bytes as text that a CSV file can hold, and back."""

import re


def escape_pathname(name: str) -> str:
    r"""Write a file name as valid UTF-8 that a CSV file can hold.

    A byte that isn't UTF-8 is, in Python, a lone surrogate; it becomes the text `\udcXX`. A
    carriage return or a line feed, which would end the row, becomes `\u000d` or `\u000a`; a
    backslash that already begins such a text becomes `\u005c`, so that nothing is ambiguous.
    """
    return _TO_ESCAPE.sub(lambda m: f"\\u{ord(m[0]):04x}", name)


def unescape_pathname(text: str) -> str:
    """Turn back what `escape_pathname` wrote."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)


_ESCAPED = re.compile(r"\\u(000a|000d|005c|d[89a-f][0-9a-f]{2})")
_TO_ESCAPE = re.compile(rf"[\r\n\ud800-\udfff]|\\(?={_ESCAPED.pattern[2:]})")
