"""``prepare cc3m``: Conceptual Captions, as Google's TSV or as img2dataset's shards."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipelines.annotations import links
from pipelines.annotations.checks import Checks
from pipelines.annotations.columns import require_column
from pipelines.annotations.left_out import LeftOut
from pipelines.artifacts import first_few, open_parquet, text_column
from pipelines.artifacts.files import require_file
from pipelines.errors import InputError

PUBLISHED = {"train": 3_318_333, "val": 15_840}
_TSV = {"train": "Train_GCC-training.tsv", "val": "Validation_GCC-1.1.0-Validation.tsv"}
_LAST_SHARD = 999_999
_SHARD_COLUMNS = ("key", "caption", "url", "status")


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row an image: ``sample_id`` and ``media_id`` are ``SPLIT_KEY``, with img2dataset's key or the TSV's row.

    Of shards, rows whose image could be downloaded; ``shard`` is the path of the tar below the root, without suffix.

    Raises:
        InputError: A file can't be used, shards are missing, or counts differ from the published ones.

    Source:
        Sharma et al., Conceptual Captions (2018).
    """
    tables = []
    for split in splits:
        if any(name in files for name in _TSV.values()):
            if path := files.get(_TSV[split]):
                tables.append(_read_tsv(path, split, checks))
        else:
            shards = {name: path for name, path in files.items() if _split_of(name) == split}
            tables += _read_shards(shards, split, next(iter(files.values())).parent, checks)
    if not tables:
        raise InputError(f"{next(iter(files.values())).parent}: no row of split {' or '.join(splits)} there")
    return pa.concat_tables(tables)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link samples to the images in img2dataset's tars below ``root``: ``tar://KEY.jpg::TAR``.

    Raises:
        InputError: The samples come from the TSV, which names no files.
    """
    if "shard" not in table.column_names:
        raise InputError(
            f"{root}: samples of the TSV name no image files; download with img2dataset, then give --root its output"
        )
    pairs = zip(table.column("shard").to_pylist(), table.column("sample_id").to_pylist(), strict=True)
    names = [f"{shard}/{sample_id.partition('_')[2]}" for shard, sample_id in pairs]
    return links.link(table, names, links.shards(root), root, checks)


def _split_of(shard: str) -> str:
    return "val" if any(part.lower().startswith("val") for part in Path(shard).parts[:-1]) else "train"


def _read_tsv(path: Path, split: str, checks: Checks) -> pa.Table:
    require_file(path)
    try:
        table = pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=["caption", "url"]),
            parse_options=pa.csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pa.csv.ConvertOptions(column_types={"caption": pa.string(), "url": pa.string()}),
        )
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"{path}: can't be parsed as caption<TAB>url ({reason}); download the published file again"
        ) from error
    if table.slice(0, 1).to_pylist() == [{"caption": "caption", "url": "url"}]:  # the header img2dataset asks for
        table = table.slice(1)
    no_url = pc.invert(pc.starts_with(table.column("url"), "http"))
    if wrong := table.column("url").filter(no_url).to_pylist():
        raise InputError(f"{path}: {len(wrong)} rows have no URL in column 2, first: '{wrong[0][:60]}'")
    checks.count(path, table.num_rows, PUBLISHED[split], "rows")
    keys = pa.array([f"{row:09d}" for row in range(table.num_rows)])
    return _table(keys, table.column("caption"), table.column("url"), split)


def _read_shards(shards: Mapping[str, Path], split: str, folder: Path, checks: Checks) -> list[pa.Table]:
    numbers = defaultdict(set)
    for name, path in shards.items():
        numbers[path.parent].add(int(Path(name).stem))
    for parent, present in numbers.items():
        if max(present) > _LAST_SHARD:
            raise InputError(f"{parent}: {max(present)}.parquet is no shard's number; move it, or name it otherwise")
        if gaps := sorted(set(range(max(present) + 1)) - present):
            first = first_few(f"{number:05d}.parquet" for number in gaps)
            checks.incomplete(f"{parent}: {len(gaps)} of {max(present) + 1} shards are missing, first: {first}")
            checks.left_out.extend(
                LeftOut(f"{number:05d}.parquet", None, "", "the shard is missing") for number in gaps
            )
    tables, rows = [], 0
    for name, path in sorted(shards.items()):
        table = _read_shard(path)
        rows += table.num_rows
        failed = pc.fill_null(pc.not_equal(table.column("status"), "success"), True)
        keys = table.column("key").filter(failed).to_pylist()
        checks.left_out.extend(LeftOut(path.name, None, key or "", "the image could not be downloaded") for key in keys)
        table = table.filter(pc.invert(failed))
        samples = _table(table.column("key"), table.column("caption"), table.column("url"), split)
        shard = pa.array([re.sub(r"\.parquet$", "", name)] * table.num_rows, pa.string())
        tables.append(samples.append_column("shard", shard))
    checks.count(folder, rows, PUBLISHED[split], f"{split} rows of img2dataset")
    images = sum(table.num_rows for table in tables)
    if images < rows:
        checks.notes.append(f"{folder}: {rows - images:,} of {rows:,} {split} images could not be downloaded")
    return tables


def _read_shard(path: Path) -> pa.Table:
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        for name in _SHARD_COLUMNS:
            require_column(file.schema_arrow.empty_table(), name, path)
        table = file.read(columns=[name for name in names if name in _SHARD_COLUMNS])
    return pa.table({name: text_column(table.column(name), name, path, is_id=name == "key") for name in _SHARD_COLUMNS})


def _table(keys: pa.Array, captions: pa.ChunkedArray, urls: pa.ChunkedArray, split: str) -> pa.Table:
    ids = pc.binary_join_element_wise(split, keys, "_")
    columns = {"sample_id": ids, "text": captions, "media_id": ids, "split": [split] * len(ids), "url": urls}
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns]))
