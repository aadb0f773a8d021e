"""Local copies: which files of a folder are a split's, saved datasets, and rows that come the same from each."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coldstart.errors import UserError
from coldstart.folders import choose, local_files, source_files
from coldstart.sources.files import expected_rows, open_files

README = """---
license: mit
configs:
- config_name: main
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: [main/test-*, main/more.parquet]
- config_name: socratic
  data_files:
  - split: test
    path: socratic/test-*
---
# A data set
"""
PLAIN = """---
configs:
- config_name: default
  data_files: data/*.parquet
---
"""
LAYOUT = [
    "README.md",
    "main/test-00000-of-00002.parquet",
    "main/test-00001-of-00002.parquet",
    "main/more.parquet",
    "main/train-00000-of-00001.parquet",
    "socratic/test-00000-of-00001.parquet",
]
MATHVERSE = ["testmini.parquet", "testmini_text_only.parquet", "testmini.json", "images.zip"]
CONVERTED = ["default/test/0000.parquet", "default/test/0001.parquet", "default/train/0000.parquet"]

# (names, README, config, split) -> chosen
CHOICES = [
    (LAYOUT, README, "main", "test", ["main/more.parquet", *LAYOUT[1:3]]),
    (LAYOUT, README, "main", "train", ["main/train-00000-of-00001.parquet"]),
    (LAYOUT, README, "socratic", "test", ["socratic/test-00000-of-00001.parquet"]),
    (LAYOUT, README, None, "train", ["main/train-00000-of-00001.parquet"]),  # the first config
    (LAYOUT, README, "nowhere", "test", []),
    (LAYOUT, README, "socratic", "train", []),
    (LAYOUT, None, "socratic", "test", ["socratic/test-00000-of-00001.parquet"]),
    (LAYOUT, "# no front matter", "main", "test", LAYOUT[1:3]),
    (["data/a.parquet", "b.parquet"], PLAIN, None, "train", ["data/a.parquet"]),
    (["data/a.parquet"], PLAIN, None, "test", []),
    (MATHVERSE, None, "testmini", "testmini", ["testmini.parquet"]),
    (MATHVERSE, None, "testmini_text_only", "testmini_text_only", ["testmini_text_only.parquet"]),
    (CONVERTED, None, "default", "test", CONVERTED[:2]),
    (["test.jsonl", "train.jsonl"], None, None, "test", ["test.jsonl"]),
    (["data/test-00000-of-00001-0a1b2c3d.parquet"], None, None, "test", ["data/test-00000-of-00001-0a1b2c3d.parquet"]),
    (["data/test_hard-00000-of-00001.parquet"], None, None, "test", []),
]


@pytest.mark.parametrize(("names", "readme", "config", "split", "chosen"), CHOICES)
def test_a_splits_files(
    names: list[str], readme: str | None, config: str | None, split: str, chosen: list[str]
) -> None:
    assert choose(names, readme, config, split) == chosen


def parquet(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the Hub serves it: test in two files, train in one."""
    parquet(tmp_path / "data/test-00000-of-00002.parquet", [{"n": 0}, {"n": 1}])
    parquet(tmp_path / "data/test-00001-of-00002.parquet", [{"n": 2}])
    parquet(tmp_path / "data/train-00000-of-00001.parquet", [{"n": 9}])
    return tmp_path


def rows_of(path: Path, split: str | None = None) -> list:
    return [(number, row) for number, row in open_files(path, "benchmarks.b", None, split)[1]]


def test_only_the_configured_split_is_read(folder: Path) -> None:
    assert rows_of(folder, "test") == [(n, {"split": "test", "n": n}) for n in range(3)]
    assert rows_of(folder) == [(0, {"n": 0}), (1, {"n": 1}), (2, {"n": 2}), (3, {"n": 9})]
    assert rows_of(folder, "train+test")[:2] == [(0, {"split": "train", "n": 9}), (1, {"split": "test", "n": 0})]
    assert (expected_rows(folder, None, "test"), expected_rows(folder, None, None)) == (3, 4)
    assert [file.name[:5] for file in source_files(folder, None, "train", "x")] == ["train"]


def test_jsonl_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"n": 1}\n\n{"n": 2}\nbroken\n', encoding="utf-8")
    found = rows_of(tmp_path, "test")
    assert found[:2] == [(0, {"split": "test", "n": 1}), (1, {"split": "test", "n": 2})]
    assert found[2][1].why == "bad_json" and expected_rows(tmp_path, None, "test") == 3


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no file of split .val. in this folder, only data/test-0.*benchmarks.b.split"):
        local_files(folder, None, "val", "benchmarks.b")
    (folder / "data/test-00001-of-00002.parquet").unlink()
    with pytest.raises(UserError, match="split 'test' has 1 of 2 files"):
        local_files(folder, None, "test", "benchmarks.b")
    (folder / "README.md").write_text("---\nconfigs: [\n---\n")
    with pytest.raises(UserError, match=r"README.md: its front matter is not readable YAML"):
        local_files(folder, None, "train", "benchmarks.b")


def test_dynamaths_files_count_its_splits(tmp_path: Path) -> None:
    """Its card names sample2-* for sample_variant2, and that file is called "of 2": it is whole all the same."""
    entries = [f"  - split: sample_variant{n}\n    path: data/sample{n}-*\n" for n in (1, 2, 10)]
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n" + "".join(entries) + "---\n"
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    for number in (1, 2, 10):
        parquet(tmp_path / f"data/sample{number}-00000-of-{number:05}.parquet", [{"n": number}])
    found = rows_of(tmp_path, "sample_variant1+sample_variant2+sample_variant10")
    assert [row["n"] for _, row in found] == [1, 2, 10]
    parquet(tmp_path / "data/sample2-00000-of-00003.parquet", [{"n": 2}])
    with pytest.raises(UserError, match="sample_variant2' has 2 of 3 files"):
        rows_of(tmp_path, "sample_variant2")


@pytest.mark.slow
def test_saved_datasets_read_as_their_parquet_does(folder: Path, tmp_path: Path) -> None:
    """save_to_disk, of one dataset and of a dict of splits; images stay bytes and path."""
    from datasets import Dataset, DatasetDict, Features, Image, List, Value

    features = Features({"n": Value("int64"), "image": Image(), "images": List(Image())})
    rows = [{"n": n, "image": {"bytes": b"\x89PNG", "path": "a.png"}, "images": []} for n in range(3)]
    one = Dataset.from_list(rows, features=features)
    one.save_to_disk(tmp_path / "one")
    DatasetDict(test=one, train=one.select([0])).save_to_disk(tmp_path / "several")
    assert [row for _, row in rows_of(tmp_path / "one", "test")] == rows
    assert rows_of(tmp_path / "several", "test") == [(n, {"split": "test", **row}) for n, row in enumerate(rows)]
    assert len(rows_of(tmp_path / "several")) == 4
    with pytest.raises(UserError, match="no split 'val', only test, train"):
        rows_of(tmp_path / "several", "val")
    assert source_files(tmp_path / "one", None, "test", "x")
