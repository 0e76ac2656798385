"""A folder with one small file of each kind, made by the stages themselves."""

from pathlib import Path

import pytest

CAPTIONS = "image,caption,split,noun\n" + "".join(
    f"{row // 2}.jpg,caption number {row % 9},{'test' if row % 4 == 3 else 'train'},{row % 3}\n" for row in range(24)
)
STAGES = {
    "annotations.parquet": "prepare table captions.csv --text-column caption --media-id-column image",
    "embeddings.parquet": "embed annotations.parquet",
    "clusters.parquet": "cluster embeddings.parquet --k 4",
    "shifts.parquet": "shifts clusters.parquet --min 0.05 --max 0.2",
}


@pytest.fixture
def work(tmp_path, monkeypatch, fake_encoder) -> Path:
    """An empty working folder but for captions.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    return tmp_path


@pytest.fixture
def chain(work, mmts):
    """Run the stages in order; gives what each did, by output."""

    def run(*extra: str):
        return {output: mmts(*line.split(), "-o", output, *extra) for output, line in STAGES.items()}

    return run


@pytest.fixture
def made(chain, work) -> Path:
    """A working folder in which all stages have run."""
    assert all(ran.code == 0 for ran in chain().values())
    return work
