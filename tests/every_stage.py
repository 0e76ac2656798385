"""Every stage on tiny files, and the digests of what each gives: ``python tests/every_stage.py FOLDER STAGE...``.

A process of its own, since threads of libraries and the order of sets are settled as a process starts.
"""

import contextlib
import io
import json
import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

_TRAIN = "--temperature fixed --tau 0.1 --epochs 1 --batch-size 16 --dimension 8 --lr 0.01 --device cpu"

# Command lines in a folder with the files of the fixture ``made``, which write to the folder ``out``.
STAGES = {
    "prepare": "prepare table captions.csv -o out/a.parquet --text-column caption",
    "embed, texts": "embed annotations.parquet -o out/e.parquet --model model/sentence --device cpu",
    "embed, images or clips": "embed annotations.parquet -o out/f.parquet --media images --model clip --device cpu",
    "cluster, kmeans": "cluster many.parquet -o out/c.parquet --k 40",
    "cluster, knn": "cluster many.parquet -o out/c.parquet --method knn --neighbors 10",
    "cluster, hdbscan": "cluster many.parquet -o out/c.parquet --method hdbscan --umap-dims 0 --min-cluster-size 5",
    "cluster, class": "cluster annotations.parquet -o out/c.parquet --method class --column media_id",
    "shifts": "shifts sizes.parquet -o out/s.parquet --min 0.05 --max 0.2 --rule log",
    "plan": "plan shifts.parquet --steps 100 --picture out/band.png",
    "train, features": f"train annotations.parquet -o out --media media.parquet --text text.parquet {_TRAIN}",
    "train, towers": "train annotations.parquet -o out --media images --media-model vit --text-model model/sentence "
    f"{_TRAIN}",
    "eval of two files": "eval -o out --media short.parquet --text text.parquet --annotations annotations.parquet",
    "eval of a run": "eval run -o out",
    "search": "search run --like m80.png#0 -o out/found.html",
    "compare": "compare fixed mmts -o out/difference.json",
    "sweep": "sweep annotations.parquet -o out --media media.parquet --text text.parquet --clusters clusters.parquet "
    "--strategies fixed,mmts --levels 1 --seeds 1 --epochs 1 --batch-size 16 --dimension 8 --lr 0.01 --device cpu",
    "advise": "advise many.parquet -o out/advice.parquet --k 5,10 --seeds 4",
    "plot": "plot tail clusters.parquet -o out/tail.pdf",
    "report": "report files -o out/report.html",
    "export": "export run --to transformers -o out/exported",
}


def digests(stages: list[str]) -> dict[str, dict[str, str]]:
    """Digests of the files that stages write, by stage and name."""
    from mmts_cli.app import app
    from mmts_cli.command import run_app

    found = {}
    for stage in stages:
        out = Path("out")  # always the same: a run's configuration names it
        out.mkdir()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                assert run_app(app, STAGES[stage].split()) == 0, stage
            files = sorted(file for file in out.rglob("*") if file.is_file() and not file.name.endswith(".lock"))
            content = _without_seconds if stage == "sweep" else Path.read_bytes
            found[stage] = {str(file.relative_to(out)): sha256(content(file)).hexdigest()[:12] for file in files}
        finally:
            shutil.rmtree(out)
    return found


def _without_seconds(file: Path) -> bytes:
    """A file of a sweep, which says how long its runs took: of a table the rows, of JSON the lines."""
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        return repr(table.drop_columns([name for name in table.column_names if name == "seconds"]).to_pydict()).encode()
    return b"\n".join(line for line in file.read_bytes().splitlines() if b'"seconds"' not in line)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    print(json.dumps(digests(sys.argv[2:])))
