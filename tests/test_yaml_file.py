"""YAML that people write: strict where a slip would pass unseen, as they mean it elsewhere."""

import pytest

from photoclf.errors import ConfigError
from photoclf.yaml_file import parse_mapping, read_mapping


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "f.yaml").write_text(text, encoding="utf-8")
        return read_mapping(tmp_path / "f.yaml", "A file")

    return read


def test_numbers_are_numbers_whichever_way_they_are_written(read):
    found = read("{a: 1e-4, b: 1.5E3, c: -2e2, d: 3}")
    assert found == {"a": 1e-4, "b": 1500.0, "c": -200.0, "d": 3}


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3", "x: {a: 1, a: 2}", "- {a: 1, a: 2}"])
def test_a_key_that_stands_twice_is_named_with_its_place(read, text):
    with pytest.raises(ConfigError, match=r"'a' must be given once(.|\n)*line \d"):
        read(text)


def test_mappings_may_be_merged(read):
    assert read("one: &o {a: 1}\ntwo:\n  <<: *o\n  b: 2")["two"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["", "text", "[1, 2]", "3"])
def test_what_is_no_mapping_is_told(read, text):
    with pytest.raises(ConfigError, match="must give names their values"):
        read(text)


@pytest.mark.parametrize("text", ["a: [", "\0", "[" * 3000])
def test_what_is_no_yaml_is_told(read, text):
    with pytest.raises(ConfigError, match="A file must be YAML"):
        read(text)


def test_a_missing_file_a_folder_and_other_bytes_are_told(tmp_path):
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    for name in ("none", ".", "latin"):
        with pytest.raises(ConfigError, match="must be a text file"):
            read_mapping(tmp_path / name, "A file")


def test_nothing_in_it_is_executed(tmp_path):
    with pytest.raises(ConfigError, match="must be YAML"):
        parse_mapping("a: !!python/object/apply:os.getcwd []", "A file", tmp_path)
