"""Entries of models, datasets and prompts are YAML files; this module reads and checks them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BaseModel, StringConstraints, ValidationError

from eve_pipeline.errors import EveError

try:
    from yaml import CSafeLoader as SafeLoader  # nine times as fast: every command and every run reads dozens of files
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

KEY_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
Entry = TypeVar("Entry", bound=BaseModel)


class Entries(Mapping[str, Entry]):
    """The entries that can be read, by key. `broken` has the error of each that cannot: looking it up raises that, by `get` too."""

    def __init__(self, readable: dict[str, Entry], broken: dict[str, EveError]) -> None:
        self._readable = readable
        self.broken = broken

    def __getitem__(self, key: str) -> Entry:
        if key in self.broken and key not in self._readable:
            raise self.broken[key]
        return self._readable[key]

    def __contains__(self, key: object) -> bool:
        return key in self._readable

    def __iter__(self) -> Iterator[str]:
        return iter(self._readable)

    def __len__(self) -> int:
        return len(self._readable)

    def complete(self) -> Self:
        """Return the entries, for those who need to know all of them; `EveError` is that of the first that cannot be read."""
        for error in self.broken.values():
            raise error
        return self


class _Loader(SafeLoader):
    """A safe loader that refuses a key that comes twice, of which the last would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue
            if name.value in seen:
                raise yaml.constructor.ConstructorError(problem=f"the key {name.value!r} comes twice", problem_mark=name.start_mark)
            seen.add(name.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> object:
    """Return the parsed content of a YAML file; `EveError` names the file and line that cannot be parsed."""
    try:
        return deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise EveError(f"{path} cannot be read: {error}", "Correct the file; it must be valid YAML in UTF-8.") from error


@lru_cache(maxsize=1024)  # planning reads the same few files once a cell; parsing them took longer than all else
def _parsed(text: str) -> object:
    return yaml.load(text, _Loader)  # noqa: S506 - a safe one


def parse_entry(kind: type[Entry], key: str, content: object, source: Path, within: tuple[str, ...] = ()) -> Entry:
    """Return one checked entry; its `key` field is the name it goes by; `within` leads to it in the file `source`.

    Validators find the folder of `source` in their context, so that an entry can name files beside it.

    Raises:
        EveError: the key or a field is not valid; every wrong field is listed with its line.
    """
    fields = content if isinstance(content, Mapping) else {"": content}
    if "key" in fields:
        raise EveError(
            f"{source}: entry {key!r} has a field key{_line(source, (*within, 'key'))}",
            "Leave it out: an entry goes by the name of its file, or by its name in the file.",
        )
    try:
        return kind.model_validate({**fields, "key": key}, context={"folder": source.resolve().parent})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg']}{_line(source, (*within, *e['loc']))}" for e in error.errors()
        )
        raise EveError(
            f"{source}: entry {key!r} is not valid: {wrong}",
            f"Correct it; a key matches {KEY_PATTERN}, and the fields are described in CONTRIBUTING.md.",
        ) from error


def _line(source: Path, path: tuple[str | int, ...]) -> str:
    """Return " (line N)" of the deepest node on the path that the file has; nothing where it has none."""
    node = yaml.compose(source.read_text(encoding="utf-8"), yaml.SafeLoader) if path and source.exists() else None
    mark = node.start_mark if node else None
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((name.start_mark, value) for name, value in node.value if name.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part].start_mark, node.value[part])
        else:
            found = None
        if found is None:
            break
        mark, node = found
    return f" (line {mark.line + 1})" if mark else ""


def read_folder(kind: type[Entry], folders: Iterable[Path]) -> Entries[Entry]:
    """Return the entries of all `<key>.yaml` files in the folders, by key; a later folder replaces an earlier one's entry."""
    files = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    return _entries({key: partial(_read_entry, kind, file) for key, file in files.items()})


def read_file(kind: type[Entry], files: Iterable[Path]) -> Entries[Entry]:
    """Return the entries of files that map keys to entries, by key; a later file replaces an earlier one's entry.

    Raises:
        EveError: a file is no YAML, or no mapping, so that nobody knows which entries it has.
    """
    found: dict[str, Callable[[], Entry]] = {}
    for file in files:
        content = read_yaml(file) if file.exists() else {}
        if not isinstance(content, Mapping):
            raise EveError(f"{file} is not a mapping of keys to entries", "Start each entry with its key and a colon.")
        found |= {str(key): partial(parse_entry, kind, str(key), entry, file, (str(key),)) for key, entry in content.items()}
    return _entries(found)


def _read_entry(kind: type[Entry], file: Path) -> Entry:
    return parse_entry(kind, file.stem, read_yaml(file), file)


def _entries(found: Mapping[str, Callable[[], Entry]]) -> Entries[Entry]:
    readable, broken = dict[str, Entry](), dict[str, EveError]()
    for key, read in found.items():
        try:
            readable[key] = read()
        except EveError as error:
            broken[key] = error
    return Entries(readable, broken)


def pick(entries: Mapping[str, Entry], key: str, noun: str) -> Entry:
    """Return the entry of `key`; `EveError` lists the known keys, or says why the entry cannot be read."""
    entry = entries.get(key)
    if entry is None:
        raise EveError(f"There is no {noun} {key!r}", f"Known: {', '.join(entries) or 'none'}.")
    return entry
