"""File names of any bytes as text: in a CSV file, and back; in a page or a terminal."""

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


def clean_name(name: str) -> str:
    """Make any file name fit to be shown on one line of a page or a terminal.

    It is escaped as in a table, and each control character, and each mark that turns the reading
    direction, is replaced: a name can't colour a terminal or rearrange what stands around it.
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", escape_pathname(name))


def clean(text: str) -> str:
    """Make any text fit to be shown: as `clean_name`, but a text keeps its lines."""
    return "\n".join(map(clean_name, text.split("\n")))


# Controls, and the marks that turn the reading direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u(000a|000d|005c|d[89a-f][0-9a-f]{2})")
_TO_ESCAPE = re.compile(rf"[\r\n\ud800-\udfff]|\\(?={_ESCAPED.pattern[2:]})")
