"""YAML that people write, read strictly: a mapping, each key once, 1e-4 a number."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from photoclf.errors import ConfigError


def read_mapping(path: Path, what: str) -> dict[Any, Any]:
    """Read a YAML or JSON file that maps names to values.

    Args:
        path: The file.
        what: What the file is, for the error, such as `A space`.

    Raises:
        ConfigError: If it can't be read, isn't YAML, gives a key twice, or is no mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{what} must be a text file. Received: {path} ({error}).") from error
    return parse_mapping(text, what, path)


def parse_mapping(text: str, what: str, origin: Path) -> dict[Any, Any]:
    """Parse YAML text as `read_mapping` does."""
    try:
        content = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{what} must be YAML. Received: {origin} ({error}).") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{what} must give names their values. Received: {origin} with {str(content)[:60]!r}."
        )
    return content


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: list[Any] = []
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key!r} must be given once and is given twice",
                    problem_mark=key_node.start_mark,
                )
            seen.append(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 takes 1e-4 for a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)
