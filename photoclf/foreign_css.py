"""Styles of unknown origin → what of them may dress a table, and nothing else of the page."""

import re

# What colours a cell or sets its text. Nothing that places, hides, animates or fetches.
_PROPERTIES = {
    "background", "background-color", "border", "border-bottom", "border-collapse",
    "border-color", "border-left", "border-right", "border-style", "border-top", "border-width",
    "color", "font-style", "font-variant-numeric", "font-weight", "max-width", "min-width",
    "padding", "padding-left", "padding-right", "text-align", "text-decoration",
    "vertical-align", "white-space", "width",
}  # fmt: skip
_FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "linear-gradient"}
_VALUE = re.compile(r"[\w\s#%.,()+-]+(?:!important)?")
# pandas gives each styled table an id of its own, and its rules begin with it.
_OF_A_TABLE = re.compile(r"#T_\w+[\w\s.#:()>-]*")


def admit_declarations(style: str) -> str:
    """Keep of an element's style the declarations that are harmless.

    Example:
        >>> admit_declarations("color: red; position: fixed; background: url(//x)")
        'color: red'
    """
    kept = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        functions = {found.lower() for found in re.findall(r"([\w-]*)\(", value)}
        if name.lower() in _PROPERTIES and _VALUE.fullmatch(value) and functions <= _FUNCTIONS:
            kept.append(f"{name.lower()}: {value}")
    return "; ".join(kept)


def admit_rules(css: str) -> str:
    """Keep of a style sheet the rules that dress one table of pandas' `Styler`.

    Returns:
        CSS without any character that could end its `<style>`; empty when nothing is left.
    """
    rules = []
    for selectors, style in re.findall(r"([^{}]*)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", css)):
        kept = [s.strip() for s in selectors.split(",") if _OF_A_TABLE.fullmatch(s.strip())]
        declarations = admit_declarations(style)
        if kept and declarations:
            rules.append(f"{', '.join(kept)} {{ {declarations} }}")
    return "\n".join(rules)
