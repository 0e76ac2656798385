"""``mmts embed --engine ray`` as a command: a clean terminal, and nothing left behind however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from pipelines.embed import embed_media
from pipelines.encoding import Encoding

pytestmark = pytest.mark.slow

COMMAND = """
import sys
import pipelines.embed.parts as parts
from mmts_cli.app import app
from mmts_cli.command import run_app
parts._SECONDS_BETWEEN_SYNCS = 0.01
sys.exit(run_app(app, sys.argv[1:]))
"""


class Running:
    """A command that runs, in a session of its own, as in a terminal."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *(str(each) for each in arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.family: dict[psutil.Process, str] = {}  # what it started, with names

    def wait_for(self, path: Path, lines: int) -> None:
        """Wait until a file has so many lines."""
        while not (path.exists() and path.read_bytes().count(b"\n") >= lines):
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.family[process] = process.name()

    def interrupt(self, path: Path) -> None:
        """Press Ctrl-C until it ends: Python drops one that comes as it destroys an object, and work goes on."""
        while self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            seen = path.read_bytes().count(b"\n")
            while self.process.poll() is None and path.exists() and path.read_bytes().count(b"\n") < seen + 100:
                time.sleep(0.01)

    def a_worker(self) -> psutil.Process:
        return next(each for each, name in self.family.items() if name.startswith("ray::_Worker") and each.is_running())

    def end(self, spare: str = "nobody") -> tuple[int, str, str]:
        """Wait for its end, and for that of all that it started: exit code, stdout and stderr."""
        ending = [each for each, name in self.family.items() if spare not in name]
        out, err = self.process.communicate(timeout=300)
        assert psutil.wait_procs(ending, timeout=120)[1] == []
        return self.process.returncode, out, err


def test_killed_and_interrupted_it_leaves_nothing_running_and_goes_on(tmp_path, write_artifact, tiny) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'mmts[ray]'")
    Image.new("RGB", (32, 32), (5, 99, 200)).save(tmp_path / "image.png")
    names = [f"m{row}" for row in range(6_000)]
    columns = {"sample_id": names, "text": names, "media_id": names, "media": [str(tmp_path / "image.png")] * 6_000}
    annotations = write_artifact(tmp_path / "a.parquet", columns)
    output, model = tmp_path / "f.parquet", tiny("vit")
    arguments = ("embed", annotations, "-o", output, "--media", "annotations", "--model", model)
    arguments = (*arguments, "--batch-size", 4, "--device", "cpu", "--engine", "ray")
    journal = tmp_path / "f.parquet.parts" / "journal.jsonl"

    killed = Running(*arguments)
    killed.wait_for(journal, 40)
    killed.process.kill()
    assert killed.end(spare="Agent") == (-signal.SIGKILL, "", "")  # Ray's agents end a minute later
    made = journal.read_bytes().count(b"\n")

    stopped = Running(*arguments)
    stopped.wait_for(journal, made + 40)
    stopped.a_worker().kill()
    stopped.wait_for(journal, made + 120)
    stopped.interrupt(journal)
    code, out, err = stopped.end()
    assert (code, out) == (130, "")
    assert err.startswith("mmts: stopped after ")
    assert err.count("\n") == 1

    options = {"media": "annotations", "model": str(model), "encoding": Encoding("cpu", batch_size=4)}
    embed_media(annotations, output, **options)
    embed_media(annotations, tmp_path / "unbroken.parquet", **options)
    assert output.read_bytes() == (tmp_path / "unbroken.parquet").read_bytes()
