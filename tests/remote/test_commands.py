"""Commands on URLs, with files in memory: the same bytes as with local files, and records that name the URLs."""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from fsspec.registry import _registry as registry

from pipelines.errors import InputError
from pipelines.remote import store
from pipelines.shifts import shifts
from remote.conftest import forget_everything

pytestmark = pytest.mark.slow  # whole commands

CAPTIONS = "image,caption,split\n" + "".join(
    f"{row // 2}.jpg,caption number {row % 9},{'test' if row % 4 == 3 else 'train'}\n" for row in range(24)
)
STAGES = """
prepare table {d}/captions.csv --text-column caption --media-id-column image -o {d}/annotations.parquet
embed {d}/annotations.parquet -o {d}/embeddings.parquet
cluster {d}/embeddings.parquet --k 4 --annotations {d}/annotations.parquet -o {d}/clusters.parquet
shifts {d}/clusters.parquet --min 0.05 --max 0.2 -o {d}/shifts.parquet
"""
OUTPUTS = ("annotations", "embeddings", "clusters", "clusters.labels", "shifts")


def run(mmts, lines: str, folder: object, code: int = 0) -> list[str]:
    """Run command lines in a folder, or in a URL; gives what they printed."""
    printed = []
    for line in lines.strip().splitlines():
        ran = mmts(*line.format(d=folder).split())
        assert ran.code == code, ran
        printed.append(ran.out + ran.err)
    return printed


@pytest.fixture
def made(mmts, memory, fake_encoder):
    """All stages, run on ``memory://b``; what they printed."""
    memory.pipe("/b/captions.csv", CAPTIONS.encode())
    return run(mmts, STAGES, "memory://b")


def test_the_stages_write_the_same_bytes_as_with_local_files(made, mmts, memory, tmp_path) -> None:
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    local = run(mmts, STAGES, tmp_path)
    assert made == [text.replace(str(tmp_path), "memory://b") for text in local]
    for name in OUTPUTS:
        assert memory.cat(f"/b/{name}.parquet") == (tmp_path / f"{name}.parquet").read_bytes()
    assert memory.find("/b") == sorted(["/b/captions.csv", *(f"/b/{name}.parquet" for name in OUTPUTS)])


def test_what_is_up_to_date_is_not_fetched_again(made, mmts, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.remote.store.get", lambda files: pytest.fail(f"{files} fetched"))
    monkeypatch.setattr("pipelines.remote.store.put", lambda path: pytest.fail(f"{path} put"))
    assert all(": up to date\n" in text for text in run(mmts, STAGES, "memory://b"))


def test_another_machine_finds_it_up_to_date(made, mmts, elsewhere) -> None:
    elsewhere()
    assert all(": up to date\n" in text for text in run(mmts, STAGES, "memory://b"))


def test_parts_and_patterns_and_files_of_flags(made, mmts, memory, tmp_path) -> None:
    for number in range(2):
        memory.pipe(f"/b/parts/{number}.parquet", memory.cat("/b/embeddings.parquet"))
    [text] = run(mmts, "inspect {d}/parts/*.parquet --rows 0", "memory://b")
    assert text.startswith("memory://b/parts/*.parquet: embeddings, 2 files, 48 rows")
    [text] = run(mmts, "inspect {d}/parts --rows 0", "memory://b")
    assert text.startswith("memory://b/parts: embeddings, 2 files, 48 rows")
    memory.pipe("/b/shifts.toml", b'clusters = ["memory://b/clusters.parquet"]\noutput = "memory://b/s.parquet"\n')
    [text] = run(mmts, "shifts --config {d}/shifts.toml --min 0.05 --max 0.2", "memory://b")
    assert text.startswith("memory://b/s.parquet: written")
    assert memory.cat("/b/s.parquet") == memory.cat("/b/shifts.parquet")


def test_what_is_no_file_of_ours_is_not_overwritten_but_with_force(made, mmts, refused, memory) -> None:
    memory.pipe("/b/shifts.parquet", memory.cat("/b/annotations.parquet")[:-9] + b"somebody's")
    line = "shifts memory://b/clusters.parquet --min 0.05 --max 0.2 -o memory://b/shifts.parquet"
    assert refused(*line.split()).startswith("memory://b/shifts.parquet: exists and was not written by mmts")
    assert mmts(*line.split(), "--force").code == 0
    assert memory.cat("/b/shifts.parquet").endswith(b"PAR1")


def test_the_list_of_rows_left_out_goes_with_them(mmts, memory) -> None:
    memory.pipe("/b/a.csv", b"text,image\na,1.jpg\nb,\n")
    run(
        mmts,
        "prepare table {d}/a.csv --text-column text --media-id-column image -o {d}/a.parquet --allow-partial",
        "memory://b",
    )
    assert b"a.csv" in memory.cat("/b/a.left-out.csv")
    memory.pipe("/b/a.csv", b"text,image\na,1.jpg\n")
    forget_everything()
    run(
        mmts,
        "prepare table {d}/a.csv --text-column text --media-id-column image -o {d}/a.parquet --allow-partial",
        "memory://b",
    )
    assert memory.find("/b") == ["/b/a.csv", "/b/a.parquet"]


def upload(memory, world, **flags: object) -> str:
    """Put the world's files to ``memory://w``; gives the command line of a training there."""
    for path in world.folder.iterdir():
        if path.is_file():
            memory.pipe(f"/w/{path.name}", path.read_bytes())
    return " ".join(map(str, world.command("run", **flags))).replace(str(world.folder), "memory://w")


@pytest.fixture
def trained(mmts, memory, world):
    """The command line of a run on ``memory://w`` that was trained, and what was printed."""
    line = upload(memory, world, epochs=1)
    return line, run(mmts, line, "")


def names_below(system, folder: str) -> list[str]:
    return [name.removeprefix(f"{folder}/") for name in system.find(folder)]


def test_a_run_is_put_and_its_model_is_that_of_a_local_one(trained, mmts, memory, world) -> None:
    assert mmts(*world.command("run", epochs=1)).code == 0
    local = world.folder / "run"
    assert names_below(memory, "/w/run") == sorted(
        str(path.relative_to(local)) for path in local.rglob("*") if path.is_file()
    )
    for name in ("model/heads.safetensors", "checkpoints/best.safetensors", "metrics.json"):
        assert memory.cat(f"/w/run/{name}") == (local / name).read_bytes()
    parameters = json.loads(memory.cat("/w/run/config.json"))["parameters"]
    assert {name: parameters[name] for name in ("annotations", "media", "text", "output")} == {
        "annotations": "memory://w/annotations.parquet",
        "media": "memory://w/media.parquet",
        "text": "memory://w/text.parquet",
        "output": "memory://w/run",
    }


def test_the_files_that_a_run_names_are_found_from_elsewhere(trained, mmts, memory, elsewhere) -> None:
    line, _ = trained
    elsewhere()
    assert "up to date" in run(mmts, line, "")[0]
    [text] = run(mmts, "eval {d}/run -o {d}/scores", "memory://w")
    assert text.startswith("memory://w/scores: written")
    assert names_below(memory, "/w/scores") == ["metrics.json", "misses.parquet", "ranks.parquet"]


def test_a_new_run_takes_the_old_ones_place(trained, mmts, memory, elsewhere) -> None:
    line, _ = trained
    old = memory.cat("/w/run/metrics.json")
    elsewhere()
    run(mmts, f"{line} --seed 1 --force", "")
    assert memory.cat("/w/run/previous/metrics.json") == old
    assert memory.cat("/w/run/metrics.json") != old
    assert names_below(memory, "/w/run/checkpoints") == ["best.safetensors"]


class Killed(BaseException):
    """What a process does not live to see."""


def test_a_run_counts_as_complete_once_all_of_it_is_there(mmts, memory, world, elsewhere, monkeypatch) -> None:
    line = upload(memory, world, epochs=1)
    put, dead = store.put, []

    def put_or_die(path):
        if dead or path.name == "metrics.json":
            dead.append(path)
            raise Killed
        return put(path)

    with monkeypatch.context() as killing:
        killing.setattr(store, "put", put_or_die)
        with pytest.raises(Killed):
            mmts(*line.split())
    assert "model/heads.safetensors" in names_below(memory, "/w/run")
    assert "metrics.json" not in names_below(memory, "/w/run")
    elsewhere()
    assert "up to date" not in run(mmts, f"{line} --resume", "")[0]
    assert "metrics.json" in names_below(memory, "/w/run")


def test_a_checkpoint_that_can_t_be_put_is_told_of_and_the_rest_is_put(mmts, memory, world, monkeypatch) -> None:
    line = upload(memory, world, epochs=1, checkpoint_steps=2)
    put, failed = store.put, []

    def put_some(path):
        if "step-000000002" in path.name and not failed:
            failed.append(path)
            raise InputError(f"{path}: access denied")
        return put(path)

    monkeypatch.setattr(store, "put", put_some)
    ran = mmts(*line.split())
    assert ran.code == 0
    said = (
        "warning: not put yet, tried again later: memory://w/run/checkpoints/step-000000002.safetensors: access denied"
    )
    assert ran.err == f"{said}\n"
    assert names_below(memory, "/w/run/checkpoints") == ["best.safetensors"]


def test_an_output_that_can_t_be_put_is_a_line_and_put_by_the_same_command(
    made, mmts, refused, memory, monkeypatch
) -> None:
    shifts = STAGES.strip().splitlines()[-1].format(d="memory://b")
    memory.rm("/b/shifts.parquet")
    with monkeypatch.context() as failing:
        failing.setattr(store, "put", lambda path: (_ for _ in ()).throw(InputError(f"{path}: access denied")))
        assert refused(*shifts.split()) == "memory://b/shifts.parquet: access denied"
    assert "up to date" in run(mmts, shifts, "")[0]
    assert memory.size("/b/shifts.parquet") > 0


@pytest.mark.slow
def test_no_output_names_a_copy(trained, mmts, memory, cache) -> None:
    _, printed = trained
    lines = """
eval {d}/run -o {d}/scores
sweep {d}/annotations.parquet -o {d}/sweep --media {d}/media.parquet --text {d}/text.parquet --epochs 1 \
--clusters {d}/clusters.parquet --levels 1 --seeds 1 --strategies fixed,mmts --batch-size 16
frontier {d}/sweep -o {d}/frontier.json
"""
    printed += run(mmts, lines, "memory://w")
    assert not any(str(cache) in text for text in printed)
    assert [name for name in memory.find("/w") if str(cache).encode() in memory.cat(name)] == []
    for name in ("scores/metrics.json", "sweep/sweep.json", "frontier.json"):
        assert memory.size(f"/w/{name}") > 0


@pytest.mark.slow
def test_a_sweep_goes_on_elsewhere(mmts, memory, world, elsewhere) -> None:
    upload(memory, world)
    words = "sweep {d}/annotations.parquet -o {d}/sweep --media {d}/media.parquet --text {d}/text.parquet --epochs 1 "
    words += "--clusters {d}/clusters.parquet --levels 1 --seeds 1 --strategies fixed,mmts --batch-size 16"
    run(mmts, words, "memory://w")
    names = names_below(memory, "/w/sweep")
    memory.rm("/w/sweep/sweep.json")
    memory.rm("/w/sweep/runs/mmts-infonce-seed-1", recursive=True)
    elsewhere()
    [text] = run(mmts, words, "memory://w")
    assert [line for line in text.splitlines() if "are there already" in line] == [
        "2 of 4 runs are there already",
        "3 of 4 runs are there already",
    ]
    assert names_below(memory, "/w/sweep") == names


RECIPE = b"""
about = "a table"
[prepare.table]
source = "{root}/captions.csv"
text-column = "caption"
media-id-column = "image"
[cluster]
k = 4
[shifts]
min = 0.05
max = 0.2
[towers]
media = "annotations"
[train]
val-split = "none"
temperature = "fixed"
dimension = 4
batch-size = 8
[runs.a]
tau = 0.1
[runs.b]
tau = 0.2
[eval]
resamples = 5
"""


def test_a_recipe_runs_from_and_to_urls(mmts, memory, fake_encoder, elsewhere, write_artifact, tmp_path) -> None:
    media = sorted({line.partition(",")[0] for line in CAPTIONS.splitlines()[1:]})
    vectors_nd = np.random.default_rng(0).standard_normal((len(media), 3)).astype(np.float32)
    rows = pa.FixedSizeListArray.from_arrays(vectors_nd.ravel(), 3)
    features = write_artifact(tmp_path / "features.parquet", {"media_id": media, "embedding": rows})
    memory.pipe({"/b/data/captions.csv": CAPTIONS.encode(), "/b/features.parquet": features.read_bytes()})
    memory.pipe({"/b/base.toml": RECIPE, "/b/recipe.toml": b'extends = "base.toml"\n'})
    line = "run {d}/recipe.toml --root {d}/data -o {d}/out --media {d}/features.parquet --set train.epochs=2"
    [text] = run(mmts, line, "memory://b")
    assert "done; scores in memory://b/out/scores-a, memory://b/out/scores-b" in text
    assert json.loads(memory.cat("/b/out/run-a/config.json"))["parameters"]["epochs"] == 2
    assert memory.exists("/b/out/difference.json")
    elsewhere()
    [text] = run(mmts, line, "memory://b")
    assert text.count(": up to date") == 4 + 2 + 2  # all but the comparison, which is made anew as it is locally


def test_a_dry_run_fetches_nothing(mmts, refused, memory, fetched, cache) -> None:
    video = RECIPE.replace(b"[shifts]", b'[evals.x]\ntail-classes = "{root}/**/tail.csv"\n[shifts]')
    memory.pipe({"/b/data/captions.csv": CAPTIONS.encode(), "/b/data/in/tail.csv": b"x", "/b/images/a.jpg": b"a"})
    memory.pipe({"/b/out/run-a/config.json": b"{}", "/b/recipe=1.toml": video, "/b/f=1.parquet": b"no Parquet"})
    media = "--media-root {d}/images --media {d}/f=1.parquet"
    line = "run {d}/recipe=1.toml --root {d}/ROOT -o {d}/out " + media + " --dry-run"
    [text] = run(mmts, line.replace("ROOT", "data"), "memory://b")
    assert "--tail-classes memory://b/data/in/tail.csv" in text
    assert fetched == ["memory://b/recipe=1.toml"]
    for old, new, said in (
        ("data", "dta", "--root memory://b/dta"),
        ("images", "imges", "--media-root memory://b/imges"),
    ):
        changed = line.replace("ROOT", "data").replace(old, new).format(d="memory://b")
        assert refused(*changed.split()) == f"{said}: no such folder"


def test_the_stages_take_urls_from_python_too(made, memory) -> None:
    result = shifts("memory://b/clusters.parquet", "memory://b/s.parquet", minimum=0.05, maximum=0.2)
    assert (str(result.output), len(result.to_pandas())) == ("memory://b/s.parquet", 24)
    assert memory.cat("/b/s.parquet") == memory.cat("/b/shifts.parquet")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("inspect memory://b/a.parquet", "memory://b/a.parquet: no such file"),
        ("inspect memory://b/captoins.csv", "memory://b/captoins.csv: no such file; did you mean 'captions.csv'?"),
        ("inspect memory://b/*.pq", "memory://b/*.pq: no file matches this pattern"),
        ("inspect memory://b", "memory://b: is a directory; a file was expected, or a folder of nothing but Parquet"),
        (
            "inspect nothing://b/a",
            "nothing://b/a: nothing:// is of no kind that fsspec knows; give a path, or a URL such as s3://BUCKET/NAME",
        ),
        ("inspect simplecache::s3://b/a", "simplecache::s3://b/a: URLs in one another are not read; give the last one"),
        (
            "inspect s3://key:secret@b/a",
            "s3://b/a: credentials are no part of such a URL; give them in the environment",
        ),
        ("inspect https://me:pass@127.0.0.1:1/a?token=t", "https://127.0.0.1:1/a: the server doesn't answer; check"),
        (
            "inspect abfs://b/a",
            "abfs://b/a: a package for abfs:// is missing; Install adlfs to access Azure Datalake Gen2",
        ),
    ],
)
def test_mistakes(refused, mmts, memory, line, said) -> None:
    memory.pipe("/b/captions.csv", CAPTIONS.encode())
    mmts("prepare", "table", "memory://b/captions.csv", "--text-column", "caption", "-o", "memory://c/a.parquet")
    assert refused(*line.split()).startswith(said)


def test_credentials_are_neither_printed_nor_recorded(mmts, memory, fake_encoder, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.remote.paths._BUCKETS", ())
    monkeypatch.setattr("pipelines.remote.store.full_url", str)  # memory has no users
    memory.pipe("/me@b/captions.csv", CAPTIONS.encode())
    printed = run(mmts, STAGES.replace("{d}", "memory://me:hush@b"), "")
    printed += run(mmts, "inspect {d}/clusters.parquet --json", "memory://me:hush@b")
    assert not any("hush" in text for text in printed)
    assert len(memory.find("/me@b")) == 1 + len(OUTPUTS)
    assert not any(b"hush" in memory.cat(name) for name in memory.find("/me@b"))


def test_a_backend_that_is_not_installed_is_named(refused, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(registry, "s3", raising=False)
    assert refused("inspect", "s3://b/a") == "s3://b/a: a package for s3:// is missing; pip install 'mmts[s3]'"
