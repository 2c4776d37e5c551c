"""The shipped descriptions of public datasets, each on a small copy in its exact layout, and what a user may change of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.public import fetch_dataset, public_dataset, public_datasets
from eve_pipeline.datasets.readers import read_dataset, reader_names
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.emotions.label_sets import label_sets, resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from tests.datasets import layouts
from tests.datasets.layouts import zipped
from tests.file_server import FileServer

MAKERS = {
    "emoset": layouts.emoset,
    "fi": layouts.fi_csv,
    "emotion6": layouts.emotion6,
    "artphoto": layouts.artphoto,
    "abstract": layouts.abstract,
}
N_IMAGES = {"emoset": 24, "fi": 8, "emotion6": 12, "artphoto": 16, "abstract": 9}


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[FileServer]:
    """ArtPhoto's archive on a server that the user's own description of it names."""
    archive = zipped(layouts.artphoto, tmp_path / "testImages_artphoto.zip")
    with FileServer(archive.read_bytes()) as server:
        describe(settings, "artphoto", download=f"{server.url}/testImages_artphoto.zip")
        yield server


def describe(settings: Settings, key: str, **changes: object) -> None:
    shipped = yaml.safe_load((settings.assets_data / "public_datasets" / f"{key}.yaml").read_text())
    folder = settings.home / "public_datasets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key}.yaml").write_text(yaml.safe_dump(shipped | changes))


def test_all_five_are_described_with_licence_source_and_counts(settings: Settings):
    shipped = public_datasets(settings)
    assert set(shipped) == set(MAKERS)
    for dataset in shipped.values():
        assert dataset.reader in reader_names()
        assert dataset.licence
        assert "http" in dataset.source
        assert dataset.expected
        assert bool(dataset.download) != bool(dataset.access)
        assert set(dataset.expected.labels) <= set(resolve_labels(dataset.labels, settings))


def test_labels_and_their_order_are_the_paper_s(settings: Settings):
    lists = {key: resolve_labels(dataset.labels, settings) for key, dataset in public_datasets(settings).items()}
    assert lists["emoset"] == lists["fi"] == lists["artphoto"] == layouts.MIKELS
    assert lists["abstract"] == layouts.ABSTRACT
    assert lists["emotion6"] == layouts.EMOTION6
    assert label_sets(settings)["ekman"] == layouts.EMOTION6[:-1]


def test_counts_add_up_to_what_the_authors_state(settings: Settings):
    expected = {key: dataset.expected for key, dataset in public_datasets(settings).items()}
    assert sum(expected["artphoto"].labels.values()) == 806
    assert sum(expected["abstract"].labels.values()) == 229


@pytest.mark.parametrize("key", MAKERS)
@pytest.mark.parametrize("form", ["folder", "one folder further down", "zip", "tar.gz"])
def test_folder_and_archive_are_added_without_a_reader_and_alike(key: str, form: str, settings: Settings, tmp_path: Path):
    if form in {"folder", "one folder further down"}:
        folder = MAKERS[key](tmp_path / "data" / "top")
        path = folder if form == "folder" else folder.parent
    else:
        path = zipped(MAKERS[key], tmp_path / f"data.{form}")
    entry = add_dataset(key, None, path, settings)
    assert dataset_entry(key, settings) == entry
    images = read_dataset(entry, settings).images
    plain = read_dataset(entry.model_copy(update={"path": MAKERS[key](tmp_path / "plain")}), settings).images
    assert images.height == N_IMAGES[key]
    assert images.select("image_id", "label", "split").equals(plain.select("image_id", "label", "split"))


def test_an_entry_takes_over_everything_but_the_hard_subset(settings: Settings, tmp_path: Path):
    entry = add_dataset("emotion6", None, layouts.emotion6(tmp_path / "Emotion6"), settings)
    public = public_datasets(settings)["emotion6"]
    assert (entry.reader, entry.labels, entry.rating_scale) == ("emotion6", "emotion6", (1, 9))
    assert (entry.licence, entry.source, entry.expected) == (public.licence, public.source, public.expected)
    assert add_dataset("emoset", None, layouts.emoset(tmp_path / "EmoSet-118K"), settings).hard_subset is None


@pytest.mark.parametrize("key", ["emoset", "fi"])
def test_the_hard_subset_is_the_paper_s_and_can_be_asked_for_later_and_taken_back(key: str, settings: Settings, tmp_path: Path):
    folder = MAKERS[key](tmp_path / "data")
    add_dataset(key, None, folder, settings)
    entry = add_dataset(key, None, folder, settings, hard_subset=True)
    assert dataset_entry(key, settings) == entry
    assert entry.subsets == (key, f"{key}-hard")
    assert (entry.hard_subset.classifier, entry.hard_subset.n, entry.hard_subset.threshold) == (f"vit-b16-{key}", 2500, 0.8)
    add_dataset(key, None, folder, settings)
    assert dataset_entry(key, settings).subsets == (key,)


def test_a_hard_subset_that_nobody_described_is_refused(settings: Settings, tmp_path: Path, photographs: Path):
    with pytest.raises(EveError, match="No hard subset of 'artphoto' is described"):
        add_dataset("artphoto", None, layouts.artphoto(tmp_path / "a"), settings, hard_subset=True)
    with pytest.raises(EveError, match="No hard subset of 'mine' is described"):
        add_dataset("mine", "folder", photographs, settings, hard_subset=True)


def test_options_go_before_what_is_known(settings: Settings, tmp_path: Path):
    entry = add_dataset("emotion6", None, layouts.emotion6(tmp_path / "Emotion6"), settings, labels="ekman")
    assert entry.labels == "ekman"
    assert set(read_dataset(entry, settings).images["label"]) == {"disgust", "joy"}


def test_another_reader_makes_it_the_user_s_own_dataset(settings: Settings, tmp_path: Path):
    entry = add_dataset("emoset", "folder", layouts.emoset(tmp_path / "EmoSet-118K") / "image", settings)
    assert (entry.reader, entry.expected, entry.source) == ("folder", None, "")
    same = add_dataset("artphoto", "artphoto", layouts.artphoto(tmp_path / "a"), settings)
    assert same.source


def test_any_other_key_needs_a_reader(settings: Settings, photographs: Path):
    with pytest.raises(EveError, match=r"(?s)'mine' is not one of the public datasets abstract, artphoto.*--reader, one of abstract"):
        add_dataset("mine", None, photographs, settings)


def test_the_error_is_of_the_folder_that_was_named(settings: Settings, tmp_path: Path):
    layouts.artphoto(tmp_path / "data" / "top")
    with pytest.raises(EveError, match=rf"at {tmp_path}/data/ground_truth\.txt; found .*data with top"):
        add_dataset("emotion6", None, tmp_path / "data", settings)


def test_one_of_several_folders_is_not_guessed(settings: Settings, tmp_path: Path):
    layouts.artphoto(tmp_path / "data" / "one")
    layouts.artphoto(tmp_path / "data" / "two")
    with pytest.raises(EveError, match="no image that can be used, 32 rejected"):
        add_dataset("artphoto", None, tmp_path / "data", settings)


def test_the_same_archive_again_changes_nothing_and_another_one_is_not_taken_for_it(settings: Settings, tmp_path: Path):
    archive = zipped(layouts.artphoto, tmp_path / "testImages_artphoto.zip")
    first = add_dataset("artphoto", None, archive, settings)
    assert add_dataset("artphoto", None, archive, settings) == first
    assert first.path.name == "testImages_artphoto"
    assert first.path.is_relative_to(settings.home / "datasets" / "files" / "artphoto")
    with pytest.raises(EveError, match="'artphoto' is taken by dataset 'artphoto'"):
        add_dataset("artphoto", None, zipped(layouts.artphoto, tmp_path / "other" / "testImages_artphoto.zip"), settings)
    assert len([path for path in (settings.home / "datasets" / "files" / "artphoto").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(("key", "options"), [("../../outside", {}), ("mine", {"rating_scale": (7, 1)})])
def test_nothing_is_unpacked_for_a_wrong_key_or_option(key: str, options: dict[str, object], settings: Settings, tmp_path: Path):
    archive = zipped(layouts.artphoto, tmp_path / "data" / "pictures.zip")
    with pytest.raises(EveError, match=rf"entry '{key}' is not valid"):
        add_dataset(key, "artphoto", archive, settings, **options)
    assert not settings.home.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_fetched_dataset_is_downloaded_once(settings: Settings, served: FileServer):
    first = fetch_dataset("artphoto", settings)
    assert fetch_dataset("artphoto", settings) == first
    assert first == settings.home / "datasets" / "downloads" / "artphoto" / "testImages_artphoto.zip"
    assert served.seen == ["whole"]
    assert read_dataset(add_dataset("artphoto", None, first, settings), settings).images.height == 16


def test_a_failed_download_says_how_to_get_it_by_hand(settings: Settings, served: FileServer):
    served.statuses = [404]
    with pytest.raises(
        EveError,
        match=rf"(?s){served.url}/testImages_artphoto\.zip could not be downloaded: 404.*by hand .*imageemotion.*eve datasets add artphoto",
    ):
        fetch_dataset("artphoto", settings)


@pytest.mark.parametrize(
    ("key", "where"), [("emoset", "github.com/JingyuanYY"), ("fi", "qzyou.github.io"), ("emotion6", "chenlab.ece.cornell.edu")]
)
def test_what_cannot_be_fetched_says_where_to_ask(key: str, where: str, settings: Settings):
    with pytest.raises(EveError, match=rf"(?s)no link from which '{key}'.*{where}.*eve datasets add {key} --path"):
        fetch_dataset(key, settings)


@pytest.mark.parametrize("changes", [{"download": "file:///etc/passwd"}, {"download": "https://host/page"}, {"reeder": "folder"}])
def test_a_description_that_is_not_valid_is_named(settings: Settings, changes: dict[str, object]):
    describe(settings, "artphoto", **changes)
    with pytest.raises(EveError, match=rf"artphoto\.yaml: entry 'artphoto' is not valid: {next(iter(changes))}"):
        public_dataset("artphoto", settings)


@pytest.mark.parametrize("maker", [layouts.fi_folders, layouts.fi_flat])
def test_the_other_layouts_of_fi(maker: Callable[[Path], Path], settings: Settings, tmp_path: Path):
    entry = add_dataset("fi", None, maker(tmp_path / "fi"), settings)
    assert set(read_dataset(entry, settings).images["label"]) == set(layouts.MIKELS)
