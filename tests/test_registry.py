from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from eve_pipeline.errors import EveError
from eve_pipeline.registry import Key, parse_entry, pick, read_file, read_folder, read_yaml


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: Key
    legs: int


class Home(BaseModel):
    key: Key
    pets: list[Pet]


class Document(BaseModel):
    key: Key
    file: Path

    @field_validator("file")
    @classmethod
    def _beside(cls, file: Path, info: ValidationInfo) -> Path:
        return info.context["folder"] / file


def test_a_folder_of_files_is_keyed_by_file_name_and_the_later_folder_wins(tmp_path: Path):
    for folder, name, legs in (("shipped", "cat", 4), ("shipped", "bird", 2), ("own", "cat", 3)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.yaml").write_text(f"legs: {legs}")
    pets = read_folder(Pet, [tmp_path / "shipped", tmp_path / "own", tmp_path / "absent"])
    assert {key: pet.legs for key, pet in pets.items()} == {"bird": 2, "cat": 3}


def test_a_file_of_entries_and_the_later_file_wins(tmp_path: Path):
    (tmp_path / "shipped.yaml").write_text("cat: {legs: 4}\nbird: {legs: 2}\n")
    (tmp_path / "own.yaml").write_text("cat: {legs: 3}\n")
    pets = read_file(Pet, [tmp_path / "shipped.yaml", tmp_path / "own.yaml", tmp_path / "absent.yaml"])
    assert {key: pet.legs for key, pet in pets.items()} == {"bird": 2, "cat": 3}


def test_every_wrong_field_and_the_file_are_named(tmp_path: Path):
    (tmp_path / "pets.yaml").write_text("cat: {leg: 4}\n")
    with pytest.raises(EveError, match=r"pets\.yaml: entry 'cat' is not valid: legs: Field required \(line 1\); leg: Extra inputs"):
        read_file(Pet, [tmp_path / "pets.yaml"]).complete()


def test_the_line_of_a_field_is_named_however_deep(tmp_path: Path):
    (tmp_path / "pets.yaml").write_text("cat:\n  legs: 4\nbird:\n  legs: two\nDog: {legs: 4}\n")
    with pytest.raises(EveError, match=r"entry 'bird' is not valid: legs: .* \(line 4\)"):
        read_file(Pet, [tmp_path / "pets.yaml"]).complete()
    (tmp_path / "homes").mkdir()
    (tmp_path / "homes" / "home.yaml").write_text("pets:\n  - key: cat\n    legs: 4\n  - key: bird\n    legs: two\n")
    with pytest.raises(EveError, match=r"pets\.1\.legs: .* \(line 5\)"):
        read_folder(Home, [tmp_path / "homes"]).complete()


def test_an_entry_does_not_name_itself_twice(tmp_path: Path):
    file = tmp_path / "pets.yaml"
    file.write_text("cat:\n  legs: 4\n  key: dog\n")
    with pytest.raises(EveError, match=r"entry 'cat' has a field key \(line 3\)"):
        read_file(Pet, [file]).complete()


def test_a_key_that_comes_twice_is_refused_with_its_line(tmp_path: Path):
    (tmp_path / "cat.yaml").write_text("legs: 4\n\nlegs: 3\n")
    with pytest.raises(EveError, match=r"(?s)'legs' comes twice.*line 3"):
        read_folder(Pet, [tmp_path]).complete()
    (tmp_path / "pets.yaml").write_text("cat: {legs: 4}\ncat: {legs: 3}\n")
    with pytest.raises(EveError, match=r"(?s)'cat' comes twice.*line 2"):
        read_file(Pet, [tmp_path / "pets.yaml"]).complete()


@pytest.mark.parametrize("key", ["cat", "0", "a_b-c", "x" * 64])
def test_good_keys(key: str):
    assert parse_entry(Pet, key, {"legs": 4}, Path("pets.yaml")).key == key


@pytest.mark.parametrize("key", ["", "Cat", "_cat", "-cat", "a b", "a|b", "a,b", "a/b", "a.b", "é", "cat\n", "x" * 65])
def test_bad_keys(key: str):
    with pytest.raises(EveError, match=r"is not valid: key: "):
        parse_entry(Pet, key, {"legs": 4}, Path("pets.yaml"))


@pytest.mark.parametrize("content", ["4", "[4]", "", "text"])
def test_an_entry_that_is_no_mapping(tmp_path: Path, content: str):
    (tmp_path / "cat.yaml").write_text(content)
    with pytest.raises(EveError, match="entry 'cat' is not valid"):
        read_folder(Pet, [tmp_path]).complete()


def test_a_file_that_is_no_mapping(tmp_path: Path):
    (tmp_path / "pets.yaml").write_text("- cat")
    with pytest.raises(EveError, match="is not a mapping of keys to entries"):
        read_file(Pet, [tmp_path / "pets.yaml"]).complete()


@pytest.mark.parametrize("content", [b"cat: {legs: 4", b"\xff\xfe\xff", b"[cat]: 4", b"{{cat}}: 4", b"born: 2020-13-45"])
def test_a_file_that_cannot_be_parsed(tmp_path: Path, content: bytes):
    (tmp_path / "pets.yaml").write_bytes(content)
    with pytest.raises(EveError, match=r"pets\.yaml cannot be read"):
        read_yaml(tmp_path / "pets.yaml")


def test_the_file_s_folder_is_known_to_validators(tmp_path: Path):
    (tmp_path / "paper.yaml").write_text("file: paper.txt")
    assert read_folder(Document, [tmp_path])["paper"].file == tmp_path.resolve() / "paper.txt"


def test_an_unknown_key_lists_the_known():
    with pytest.raises(EveError, match=r"(?s)There is no pet 'dog'.*Known: cat"):
        pick({"cat": Pet(key="cat", legs=4)}, "dog", "pet")
    with pytest.raises(EveError, match="Known: none"):
        pick({}, "dog", "pet")


def test_a_broken_entry_is_told_to_whom_it_concerns_alone(tmp_path: Path):
    (tmp_path / "shipped.yaml").write_text("cat: {legs: 4}\nbird: {legs: 2}\n")
    (tmp_path / "own.yaml").write_text("cow: {legs: 4}\ncat: {legs: many}\n")
    pets = read_file(Pet, [tmp_path / "shipped.yaml", tmp_path / "own.yaml"])
    assert list(pets) == ["bird", "cow"], "the entry that a broken one replaces is not taken for it"
    assert pick(pets, "cow", "pet").legs == 4
    assert "cat" not in pets
    for look_up in (pets.__getitem__, pets.get, lambda key: pick(pets, key, "pet")):
        with pytest.raises(EveError, match=r"own\.yaml: entry 'cat' is not valid: legs: .* \(line 2\)"):
            look_up("cat")


def test_a_broken_file_of_a_folder_is_one_broken_entry(tmp_path: Path):
    (tmp_path / "cat.yaml").write_text("legs: 4")
    (tmp_path / "dog.yaml").write_text("legs: [4")
    pets = read_folder(Pet, [tmp_path])
    assert list(pets) == ["cat"]
    assert pets.broken.keys() == {"dog"}
    assert pets.get("bird") is None
    with pytest.raises(EveError, match=r"(?s)dog\.yaml cannot be read.*line 1"):
        pick(pets, "dog", "pet")
