"""Commands on servers of S3 and of Google Cloud Storage: the whole chain, kills, faults."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from remote.conftest import SECRET
from remote.test_commands import CAPTIONS, OUTPUTS, STAGES, names_below, run

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent.parent


def killed(name: str, count: int, *arguments: str) -> None:
    """Run a command line in a process that dies as it is about to put a file."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    line = [sys.executable, "-m", "remote.killed", name, str(count), *arguments]
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr


@pytest.fixture
def line(bucket, world) -> list[str]:
    """A command line of training on the bucket's folder ``w``, whose files are there."""
    for path in world.folder.iterdir():
        if path.is_file():
            bucket.system.pipe(f"bucket/w/{path.name}", path.read_bytes())
    words = world.command("run", epochs=3, checkpoint_steps=2)
    return [str(word).replace(str(world.folder), f"{bucket.url}/w") for word in words]


def test_the_chain_is_that_of_local_files_byte_by_byte(
    bucket, mmts, line, world, fake_encoder, tmp_path, elsewhere
) -> None:
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    bucket.system.pipe("bucket/captions.csv", CAPTIONS.encode())
    scored = "eval {d}/run -o {d}/scores"
    printed = run(mmts, STAGES, bucket.url) + run(mmts, " ".join(line), "") + run(mmts, scored, f"{bucket.url}/w")
    local = run(mmts, STAGES, tmp_path)
    local += [mmts(*world.command("run", epochs=3, checkpoint_steps=2)).out, *run(mmts, scored, world.folder)]
    assert printed == [
        text.replace(str(world.folder), f"{bucket.url}/w").replace(str(tmp_path), bucket.url) for text in local
    ]
    for name in OUTPUTS:
        assert bucket.system.cat(f"bucket/{name}.parquet") == (tmp_path / f"{name}.parquet").read_bytes()
    for folder in ("run", "scores"):
        here = [path for path in (world.folder / folder).rglob("*") if path.is_file()]
        assert names_below(bucket.system, f"bucket/w/{folder}") == sorted(
            str(path.relative_to(world.folder / folder)) for path in here
        )
    for name in ("run/model/heads.safetensors", "run/checkpoints/best.safetensors", "run/metrics.json"):
        assert bucket.system.cat(f"bucket/w/{name}") == (world.folder / name).read_bytes()
    secret = SECRET.encode()
    assert not any(secret in bucket.system.cat(name) for name in bucket.system.find("bucket"))
    assert not any(SECRET in text for text in printed)
    elsewhere()
    again = run(mmts, STAGES, bucket.url) + run(mmts, " ".join(line), "") + run(mmts, scored, f"{bucket.url}/w")
    assert all(": up to date\n" in text for text in again)


def test_a_run_that_was_killed_goes_on_elsewhere(bucket, mmts, line, world, elsewhere) -> None:
    assert mmts(*world.command("run", epochs=3, checkpoint_steps=2)).code == 0
    killed("step-000000004", 1, *line)
    assert names_below(bucket.system, "bucket/w/run/checkpoints") == [
        "best-000001.safetensors",
        "step-000000002.safetensors",
    ]
    elsewhere()
    assert mmts(*line).err.startswith(f"mmts: {bucket.url}/w/run: holds an unfinished run (step-000000002); --resume")
    assert mmts(*line, "--resume").code == 0
    for name in ("model/heads.safetensors", "checkpoints/best.safetensors", "metrics.json"):
        assert bucket.system.cat(f"bucket/w/run/{name}") == (world.folder / "run" / name).read_bytes()
    assert names_below(bucket.system, "bucket/w/run/checkpoints") == ["best.safetensors"]


def test_texts_that_were_embedded_before_a_kill_are_not_embedded_again(
    bucket, mmts, fake_encoder, tmp_path, elsewhere
) -> None:
    captions = "caption\n" + "".join(f"caption {row}\n" for row in range(40))
    (tmp_path / "captions.csv").write_text(captions)
    bucket.system.pipe("bucket/captions.csv", captions.encode())
    prepare = "prepare table {d}/captions.csv --text-column caption -o {d}/annotations.parquet"
    embed = "embed {d}/annotations.parquet -o {d}/embeddings.parquet --batch-size 1"  # parts of 8
    run(mmts, f"{prepare}\n{embed}", tmp_path)
    run(mmts, prepare, bucket.url)
    killed("journal.jsonl", 3, *embed.format(d=bucket.url).split())
    assert "embeddings.parquet" not in names_below(bucket.system, "bucket")
    elsewhere()
    fake_encoder.texts.clear()
    run(mmts, embed, bucket.url)
    assert len(fake_encoder.texts) == 40 - 2 * 8
    assert bucket.system.cat("bucket/embeddings.parquet") == (tmp_path / "embeddings.parquet").read_bytes()
    assert names_below(bucket.system, "bucket") == ["annotations.parquet", "captions.csv", "embeddings.parquet"]


def test_media_in_a_folder_in_an_archive_and_where_the_annotations_say(
    s3, mmts, world, tiny, elsewhere, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images = world.images()
    s3.put(str(images), "bucket/w/images", recursive=True)
    s3.put(shutil.make_archive(str(world.folder / "zipped"), "zip", images), "bucket/w/images.zip")
    files, members = (
        [f"s3://bucket/w/images/{name}" for name in world.media_ids],
        [f"zip://{name}::s3://bucket/w/images.zip" for name in world.media_ids],
    )
    vectors = []
    for column, media in (
        (None, "s3://bucket/w/images"),
        (None, "s3://bucket/w/images.zip"),
        (files, ""),
        (members, ""),
    ):
        table = pq.read_table(world.annotations)
        if column is not None:
            where = dict(zip(world.media_ids, column, strict=True))
            table = table.append_column("media", [[where[name] for name in table["media_id"].to_pylist()]])
        pq.write_table(table, "annotations.parquet")
        s3.put("annotations.parquet", "bucket/w/annotations.parquet")
        elsewhere()
        line = ["--model", str(tiny("vit")), "-o", "s3://bucket/w/features.parquet", "--force"]
        ran = mmts("embed", "s3://bucket/w/annotations.parquet", "--media", media or "annotations", *line)
        assert ran.code == 0, ran.err
        with s3.open("bucket/w/features.parquet") as file:
            vectors.append(pq.read_table(file).replace_schema_metadata(None))
    assert all(each.equals(vectors[0]) for each in vectors)


@pytest.mark.parametrize(
    ("settings", "url", "said"),
    [
        ({}, "s3://bucket/a.parquet", "s3://bucket/a.parquet: no such file"),
        ({}, "s3://nobody-s/a.parquet", "s3://nobody-s/a.parquet: there is no such bucket; make it first"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
            "s3://bucket/a",
            "s3://bucket/a: the server doesn't answer; check",
        ),
        ({"AWS_ACCESS_KEY_ID": ""}, "s3://bucket/a", "s3://bucket/a: no credentials were found; set them as for other"),
    ],
)
def test_faults_are_a_line_each(s3, refused, monkeypatch, settings, url, said) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    type(s3).clear_instance_cache()
    assert refused("inspect", url).startswith(said)
