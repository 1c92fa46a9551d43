"""Reading YAML and JSON without losing a digit: numbers and days stay text until a model asks for them."""

import json
import re
from pathlib import Path

import yaml


class TextInvalid(Exception):
    """A file that is not well-formed; the message names the file and the place."""


class _TextLoader(yaml.SafeLoader):
    """YAML in which only true, false and null are special: no floats, no `on` that means true."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """Refuse a key given twice, which YAML would settle in silence."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field {key.value} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_TextLoader.yaml_implicit_resolvers = {}
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|)$"), ["~", "n", ""])


def read(path: Path) -> object:
    """Read one file: JSON by its suffix, else YAML; raise TextInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TextInvalid(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TextInvalid(f"{path}: not UTF-8 at byte {error.start}") from error
    try:
        if path.suffix == ".json":
            return json.loads(text, parse_float=str, parse_int=str)
        return yaml.load(text, Loader=_TextLoader)
    except json.JSONDecodeError as error:
        raise TextInvalid(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except yaml.YAMLError as error:
        raise TextInvalid(f"{path}: {_place(error)}") from error


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)
