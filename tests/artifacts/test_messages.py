"""Messages stay short, whatever the names they mention."""

import pyarrow as pa
import pytest

from pipelines.artifacts import class_column, clips_of, scores_folder
from pipelines.errors import InputError
from pipelines.evaluate.csv_columns import read_csv_columns

NAMES = [f"{'x' * 200}{row}" for row in range(5)]


def scores(folder):
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "ranks.parquet").touch()
    scores_folder(folder)


def columns(folder):
    (folder / "c.csv").write_text(",".join(NAMES * 10))
    read_csv_columns(folder / "c.csv", ["class"])


def clips(folder):
    of = dict.fromkeys(("text", "verb_class", "noun_class", "all_noun_classes"), [None] * 5)
    clips_of(pa.table({"sample_id": NAMES, "media_id": NAMES, **of}), "test", folder)


def classes(folder):
    class_column(pa.table({"sample_id": NAMES, "kind": pa.nulls(5, pa.string())}), "kind", folder)


@pytest.mark.parametrize("fault", [scores, columns, clips, classes])
def test_long_names_are_cut(fault, tmp_path) -> None:
    with pytest.raises(InputError) as error:
        fault(tmp_path)
    assert "xxx..." in str(error.value)
    assert len(str(error.value).replace(str(tmp_path), "")) <= 240
