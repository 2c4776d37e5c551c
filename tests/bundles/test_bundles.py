"""What is exported says where it comes from, holds no secret, and is verified elsewhere; what was changed is found."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eve_pipeline.bundles.archive import described, open_bundle, write_bundle
from eve_pipeline.bundles.contents import from_bytes, to_bytes
from eve_pipeline.bundles.exporting import export, scrubbed
from eve_pipeline.bundles.manifest import Manifest, Selection
from eve_pipeline.bundles.verifying import verify
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import run_query
from tests.shell import eve

CELLS = ("--model", "demo-llava-base", "--subset", "sample", "--prompt", "simple", "--prompt", "no_labels")
Change = Callable[[dict[str, bytes], dict], None]


@pytest.fixture(scope="module")
def bundle(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "results.zip"
    done = eve("export", str(path), *CELLS, home=demo_home)
    assert done.returncode == 0, done.stderr
    assert "2 cells, 1024 answers" in done.stdout
    return path


def contents(bundle: Path) -> tuple[dict[str, bytes], dict]:
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files.pop("manifest.json"))


def rewritten(bundle: Path, path: Path, change: Change) -> Path:
    files, manifest = contents(bundle)
    change(files, manifest)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            archive.writestr(name, content)
    return path


def test_the_manifest_says_what_the_results_were_made_of(bundle: Path, demo_home: Path):
    files, manifest = contents(bundle)
    assert manifest["selection"] == {"model": ["demo-llava-base"], "dataset": [], "subset": ["sample"], "prompt": ["simple", "no_labels"]}
    assert manifest["contracts"]["responses"] == contracts()["responses"].version
    configs = pl.read_parquet(files["tables/configs.parquet"])
    assert manifest["models"] == {"demo-llava-base": configs["model_revision"].unique().to_list()}
    assert manifest["prompts"].keys() == {"simple", "no_labels"}
    assert manifest["selection_seeds"] == {}  # the whole dataset was taken
    assert manifest["resampling"]["draws"] == 10_000
    assert manifest["program"]["libraries"]["polars"] == pl.__version__
    assert manifest["files"].keys() == files.keys()
    for name, file in manifest["files"].items():
        assert file["n_rows"] == pl.read_parquet(files[name]).height, name
    assert manifest["published"] == Warehouse(demo_home).database.resolve().parent.name


def test_its_marts_hold_the_published_scores_of_its_cells(bundle: Path, demo_home: Path):
    query = "select * from marts.weighted_f1 where model = 'demo-llava-base' and subset = 'sample' and prompt in ('simple', 'no_labels')"
    theirs = run_query(Warehouse(demo_home).database, query)
    ours = pl.read_parquet(contents(bundle)[0]["marts/weighted_f1.parquet"])
    key = ["model", "subset", "prompt", "scoring"]
    assert ours.height == 4
    assert_frame_equal(ours.sort(key), theirs.select(ours.columns).sort(key), rel_tol=1e-9)


def test_it_holds_no_picture_and_no_folder_of_this_machine(bundle: Path, demo_home: Path):
    files, manifest = contents(bundle)
    texts = [json.dumps(manifest), *(pl.read_parquet(content).write_csv() for content in map(flat, files.values()))]
    assert all(str(demo_home) not in text and str(Path.home()) + "/" not in text for text in texts)
    assert {name.split("/")[0] for name in files} == {"tables", "marts"}


def flat(content: bytes) -> bytes:
    return to_bytes(from_bytes(to_bytes(pl.read_parquet(content), "csv"), "csv", pl.Schema()), "parquet")


def test_it_is_verified_in_an_empty_home(bundle: Path, tmp_path: Path):
    done = eve("verify", str(bundle), home=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert "1024 answers and" in done.stdout
    assert "all are equal" in done.stdout
    assert not (tmp_path / "elsewhere").exists()


def test_changes_that_the_hashes_do_not_show_are_found_cell_by_cell(bundle: Path, tmp_path: Path, settings: Settings):
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
        frames = {name: pl.read_parquet(opened.read(name)) for name in manifest.files}
    of_base = (pl.col("model") == "demo-llava-base") & (pl.col("subset") == "sample") & (pl.col("prompt") == "simple")
    f1, answers = frames["marts/weighted_f1.parquet"], frames["tables/answers.parquet"]
    better = of_base & (pl.col("scoring") == "strict")
    frames["marts/weighted_f1.parquet"] = f1.with_columns(weighted_f1=pl.when(better).then(0.99).otherwise("weighted_f1"))
    one = answers.filter(pl.col("status") == "ok").row(0, named=True)
    is_one = (
        (pl.col("config_digest") == one["config_digest"]) & (pl.col("image_id") == one["image_id"]) & (pl.col("subset") == one["subset"])
    )
    frames["tables/answers.parquet"] = answers.with_columns(raw_label=pl.when(is_one).then(pl.lit("joy")).otherwise("raw_label"))
    requests = frames["tables/requests.parquet"]
    frames["tables/requests.parquet"] = requests.with_columns(image_sha256=pl.when(is_one).then(pl.lit("0")).otherwise("image_sha256"))
    files = {name.replace(".parquet", ".csv"): to_bytes(rows, "csv") for name, rows in frames.items()}
    heights = {name.replace(".parquet", ".csv"): rows.height for name, rows in frames.items()}
    changed = tmp_path / "changed.zip"
    listed = {name: described(content, heights[name]) for name, content in files.items()}
    write_bundle(changed, files, manifest.model_copy(update={"files": listed, "format": "csv"}))

    found = verify(changed, settings).differences
    assert sorted(found.select("table", "column").rows()) == [
        ("answers", "raw_label"),
        ("requests", "request_key"),
        ("weighted_f1", "weighted_f1"),
    ]
    values = found.filter(table="weighted_f1").row(0, named=True)
    assert values["row"] == "demo-llava-base sample sample simple strict"
    assert values["bundle"] == "0.99"
    assert float(values["recomputed"]) == pytest.approx(f1.filter(better)["weighted_f1"].item(), rel=1e-9)


def test_what_was_left_out_doubled_or_renamed_is_found_though_the_hashes_fit(bundle: Path, tmp_path: Path, settings: Settings):
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
        frames = {name: pl.read_parquet(opened.read(name)) for name in manifest.files}
    del frames["marts/coverage.parquet"]
    frames["marts/sentiment_bias.parquet"] = frames["marts/sentiment_bias.parquet"].drop("is_complete")
    frames["marts/confusion.parquet"] = pl.concat([frames["marts/confusion.parquet"], frames["marts/confusion.parquet"].head(1)])
    configs = frames["tables/configs.parquet"]
    first = pl.int_range(pl.len()) == 0
    frames["tables/configs.parquet"] = configs.with_columns(model_id=pl.when(first).then(pl.lit("gpt-9")).otherwise("model_id"))
    of_one = {name: frames["tables/answers.parquet"].row(0, named=True)[name] for name in ("config_digest", "subset", "image_id", "repeat")}
    frames["tables/answers.parquet"] = frames["tables/answers.parquet"].join(pl.DataFrame([of_one]), on=list(of_one), how="anti")
    files = {name: to_bytes(rows, "parquet") for name, rows in frames.items()}
    changed = tmp_path / "changed.zip"
    listed = {name: described(content, frames[name].height) for name, content in files.items()}
    write_bundle(changed, files, manifest.model_copy(update={"files": listed}))

    found = set(verify(changed, settings).differences.select("table", "column", "bundle", "recomputed").rows())
    assert found >= {
        ("coverage", "all", "absent", "present"),
        ("sentiment_bias", "is_complete", "absent", "present"),
        ("confusion", "all", "twice", "once"),
        ("configs", "model_id", "gpt-9", configs["model_id"][0]),
        ("requests", "all", "present", "no answer"),
    }


def test_a_manifest_that_says_other_than_its_tables_differs(bundle: Path, settings: Settings, tmp_path: Path):
    with open_bundle(bundle) as opened:
        manifest, files = opened.manifest, {name: opened.read(name) for name in opened.manifest.files}
    told = {
        "models": manifest.models | {"gpt-9": ["2030-01-01"]},
        "prompts": {key: revisions for key, revisions in manifest.prompts.items() if key != "simple"},
        "parser_versions": ["other"],
        "resampling": manifest.resampling | {"draws": 100_000},
    }
    changed = tmp_path / "changed.zip"
    write_bundle(changed, files, manifest.model_copy(update=told))
    found = verify(changed, settings).differences
    assert found["table"].unique().to_list() == ["manifest"]
    assert set(found["row"]) == {"models gpt-9", "prompts simple", "parser_versions all", "resampling draws"}


def swap_row(files: dict[str, bytes], manifest: dict) -> None:
    rows = pl.read_parquet(files["tables/answers.parquet"])
    files["tables/answers.parquet"] = to_bytes(rows.with_columns(label=pl.lit("awe")), "parquet")


def flip_byte(files: dict[str, bytes], manifest: dict) -> None:
    content = bytearray(files["marts/coverage.parquet"])
    content[100] ^= 1
    files["marts/coverage.parquet"] = bytes(content)


def newer(files: dict[str, bytes], manifest: dict) -> None:
    manifest["bundle_version"] = 2
    manifest["format"] = "arrow"


def lead_outside(files: dict[str, bytes], manifest: dict) -> None:
    files["../../outside.txt"] = b"x"
    manifest["files"]["../../outside.txt"] = manifest["files"]["tables/images.parquet"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (swap_row, r"tables/answers\.parquet was changed"),
        (flip_byte, r"marts/coverage\.parquet was changed"),
        (lambda files, _: files.pop("tables/responses.parquet"), r"tables/responses\.parquet is missing"),
        (lambda files, _: files.update({"../evil.txt": b"x"}), r"'\.\./evil\.txt' is not in the manifest"),
        (lead_outside, r"manifest of .* is not valid: files\.\.\./\.\./outside\.txt"),
        (newer, r"bundle of version 2; this program reads up to 1"),
        (lambda _, manifest: manifest["contracts"].update(responses=99), r"'responses' has version 99"),
        (lambda _, manifest: manifest.pop("format"), r"manifest of .* is not valid: format"),
        (
            lambda _, manifest: manifest["files"]["tables/images.parquet"].update(n_rows=1),
            r"images\.parquet has \d+ rows, its manifest says 1",
        ),
    ],
)
def test_what_is_not_as_listed_is_named(bundle: Path, tmp_path: Path, settings: Settings, change: Change, told: str):
    path = rewritten(bundle, tmp_path / "b.zip", change)
    with pytest.raises(EveError, match=told):
        verify(path, settings)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0, 0.5, 0.99])
def test_a_bundle_that_is_cut_off_says_so(bundle: Path, tmp_path: Path, settings: Settings, kept: float):
    content, cut = bundle.read_bytes(), tmp_path / "cut.zip"
    cut.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(EveError, match=r"cut\.zip is cut off or damaged"):
        verify(cut, settings)


def test_what_is_no_bundle_is_refused(tmp_path: Path, settings: Settings):
    with pytest.raises(EveError, match="There is no file"):
        verify(tmp_path / "nothing.zip", settings)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(EveError, match=r"holds no manifest\.json"):
        verify(tmp_path / "other.zip", settings)


def test_a_wrong_selection_says_what_there_is(demo_home: Path, bundle: Path, settings: Settings, tmp_path: Path):
    demo = Settings(home=demo_home)
    with pytest.raises(EveError, match=r"no published results of model 'gpt'\nThere are results of: demo-llava-base, demo-llava-small"):
        export(tmp_path / "b.zip", Selection(model=("gpt",)), demo)
    with pytest.raises(EveError, match="exists"):
        export(bundle, Selection(), demo)
    with pytest.raises(EveError, match="There is no published database"):
        export(tmp_path / "b.zip", Selection(), settings)
    assert eve("export", str(tmp_path / "b.zip"), "--format", "xlsx", home=demo_home).returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_secrets_and_folders_are_left_out(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    rows = pl.DataFrame(
        {
            "text": ["fear sk-planted-0123456789", None, "awe"],
            "error": [None, f"{settings.home}/x.jpg: key sk-planted-0123456789", None],
            "path": ["fear/1.jpg", "/home/me/photos/2.jpg", "../../3.jpg"],
        }
    )
    clean = scrubbed(rows, settings)
    assert clean["text"].to_list() == ["fear ***", None, "awe"]
    assert clean["error"].to_list() == [None, ".../x.jpg: key ***", None]
    assert clean["path"].to_list() == ["fear/1.jpg", "2.jpg", "3.jpg"]


def test_a_manifest_of_a_later_minor_change_is_still_read(bundle: Path, tmp_path: Path):
    path = rewritten(bundle, tmp_path / "b.zip", lambda _, manifest: manifest.update(licence="CC0"))
    with open_bundle(path) as opened:
        assert isinstance(opened.manifest, Manifest)
        assert opened.problems() == []
