"""Every stage is killed at random moments and run again: ``make kill`` prints what came of it.

Some moments lie in the whole of a process, its imports included; some in the work alone, in a child of a process that
has imported everything; some in the writing, which begins with the first temporary file.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

STAGES = (
    "annotations",
    "embed.stage",
    "cluster.stage",
    "shifts.stage",
    "train.stage",
    "evaluate.stage",
    "export.stage",
)
LIBRARIES = ("faiss", "sentence_transformers", "lightning_fabric", "transformers.models.bert.modeling_bert")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([*(f"pipelines.{stage}" for stage in STAGES), *LIBRARIES, "mmts_cli.app"])
LONGEST_SECONDS = 120
WRITING_SECONDS = 0.03

Phase = Literal["process", "work", "writing"]
PHASES: tuple[Phase, ...] = ("process", "work", "writing", "writing")
TRAIN = "{good}/annotations.parquet --media {good}/media.parquet --text {good}/text.parquet --temperature fixed"
COMMANDS = {
    "prepare": "table {good}/captions.csv --text-column caption --media-id-column image",
    "embed": "{good}/annotations.parquet --model {good}/sentence --device cpu",
    "cluster": "{good}/text.parquet --k 4",
    "shifts": "{good}/clusters.parquet --min 0.05 --max 0.2",
    "train": f"{TRAIN} --epochs 4 --batch-size 16 --dimension 8 --checkpoint-steps 2 --device cpu",
    "eval": "{good}/run --resamples 200",
    "export": "{good}/run",
}
AGAIN = {"train": ["--resume"]}


@dataclass(frozen=True)
class Target:
    """A command on made data.

    Attributes:
        name: Its name.
        good: Folder of the data.
        folder: An empty folder, in which it writes ``out``.
    """

    name: str
    good: Path
    folder: Path

    @property
    def words(self) -> list[str]:
        """The command line."""
        line = f"{self.name} {COMMANDS[self.name]} -o {{out}} -q"
        return [word.format(good=self.good, out=self.folder / "out") for word in line.split()]

    def finish(self) -> dict[str, bytes]:
        """Run it, or run it again, to its end; gives the files of its output."""
        process = start([*self.words, *AGAIN.get(self.name, [])], "work")
        process.join(LONGEST_SECONDS)
        assert process.exitcode == 0, f"{self.name}: exit code {process.exitcode}"
        return contents(self.folder)

    def clear(self) -> None:
        """Remove what it wrote."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def hidden(files: Iterable[str]) -> list[str]:
    """Of some files those that are rests: temporary files, what lies in temporary folders, and locks."""
    return [name for name in files if any(part.startswith(".") for part in Path(name).parts)]


def in_child(words: list[str], ready: Any) -> None:
    """Run a command line, as ``mmts`` does, in a child of the process that has imported everything."""
    import torch

    from mmts_cli.app import app
    from mmts_cli.command import run_app
    from mmts_cli.interrupt import stopping_on_signals

    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with stopping_on_signals():
        try:
            ready.send(True)
            code = run_app(app, words)
        except KeyboardInterrupt:
            code = 130
        os._exit(code)


def start(words: list[str], phase: Phase) -> Any:
    """Start a command line in a process of its own, or in a child that has imported everything."""
    if phase == "process":
        return subprocess.Popen([sys.executable, "-m", "mmts_cli", *words], stderr=subprocess.DEVNULL)
    ready, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=in_child, args=(words, sender))
    process.start()
    assert ready.poll(LONGEST_SECONDS)
    return process


def ended(process: Any) -> int | None:
    """The exit code of a process that has ended; minus the signal where one ended it."""
    code: int | None = process.poll() if isinstance(process, subprocess.Popen) else process.exitcode
    return code


def signalled(target: Target, number: signal.Signals, phase: Phase, seconds: float) -> tuple[int, bool]:
    """Start a command and send it a signal; gives its exit code, and whether it was still running.

    Args:
        target: The command.
        number: The signal.
        phase: From when on ``seconds`` count: in ``writing`` from the first temporary file.
        seconds: When to send it.
    """
    process = start(target.words, phase)
    while phase == "writing" and ended(process) is None and not _is_writing(target.folder):
        pass
    time.sleep(seconds)
    running = ended(process) is None
    if running:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # it came to its end, and its parent, the server, knew so before we do
            running = False
    join = process.wait if isinstance(process, subprocess.Popen) else process.join
    join(LONGEST_SECONDS)
    code = ended(process)
    assert code is not None, f"{target.name}: still runs {LONGEST_SECONDS} s after {number.name}"
    return code, running


def _is_writing(folder: Path) -> bool:
    try:
        return any(path.suffix == ".tmp" for path in folder.rglob("*"))
    except FileNotFoundError:  # a folder went as it was looked into
        return False


def moments(target: Target, count: int, seed: int, phases: tuple[Phase, ...]) -> Iterator[tuple[Phase, float]]:
    """Random moments within a command: the phase, and when in it.

    The folder is empty before and after; the command runs once a phase, to be timed.
    """
    lasts: dict[Phase, float] = {"writing": WRITING_SECONDS}
    for phase in {*phases} - {"writing"}:
        began = time.perf_counter()
        code, _ = signalled(target, signal.SIGCONT, phase, 0)
        assert code == 0, f"{target.name}: exit code {code}"
        lasts[phase] = time.perf_counter() - began
        target.clear()
    draw = random.Random(f"{seed} {target.name}")
    for number in range(count):
        phase = phases[number % len(phases)]
        yield phase, draw.uniform(0, lasts[phase])


def kill(target: Target, count: int, seed: int, phases: tuple[Phase, ...] = PHASES) -> Counter[str]:
    """Kill a command at random moments; after each the same command has to give what an unbroken run gives.

    Returns:
        How many ``kills`` there were, and of these how many hit it ``running``, left ``rests`` before it ran again,
        left only ``whole`` outputs, and gave the ``same`` files with nothing else beside them in the end.
    """
    expected = target.finish()
    target.clear()
    found: Counter[str] = Counter(kills=0, running=0, rests=0, whole=0, same=0)
    for phase, seconds in moments(target, count, seed, phases):
        _, running = signalled(target, signal.SIGKILL, phase, seconds)
        left = contents(target.folder)
        rests = [name for name in left if name in hidden(left) or name.startswith("out.parts/")]
        # A run folder grows while it trains; all else but parts is there as it is in the end, or not at all.
        is_whole = (
            target.name == "train"
            or {name: left[name] for name in left if name not in rests}.items() <= expected.items()
        )
        found.update(kills=1, running=running, rests=bool(rests), whole=is_whole, same=target.finish() == expected)
        target.clear()
    return found


def interrupt(target: Target, count: int, seed: int, phases: tuple[Phase, ...] = PHASES) -> Counter[str]:
    """Send a command SIGTERM and SIGINT at random moments.

    Returns:
        How many signals were ``sent``, how many hit it ``running``, how many ended it ``well`` (130, or 0 where it came
        to its end first), and how many left ``rests``.
    """
    found: Counter[str] = Counter(sent=0, running=0, well=0, rests=0)
    for number, (phase, seconds) in enumerate(moments(target, count, seed, phases)):
        name = (signal.SIGTERM, signal.SIGINT)[number // len(phases) % 2]
        code, running = signalled(target, name, phase, seconds)
        found.update(sent=1, running=running, well=code in (0, 130), rests=bool(hidden(contents(target.folder))))
        if code not in (0, 130):
            found.update({f"code {code} after {seconds:.2f} s of the {phase}": 1})
        target.clear()
    return found


def main() -> None:
    """Attack every command, and print a line for each."""
    from bad_inputs.good import make_good
    from tiny_world import write_artifact

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="by command")
    parser.add_argument("--signals", type=int, default=20, help="by command, SIGTERM and SIGINT in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(COMMANDS), choices=list(COMMANDS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_good(Path(folder, "good"), write_artifact)
        Path(folder, "work").mkdir()
        for attack, count in ((kill, options.kills), (interrupt, options.signals)):
            for name in options.only:
                target = Target(name, Path(folder, "good"), Path(folder, "work"))
                found = attack(target, count, options.seed)
                print(f"{name:8}", ", ".join(f"{what} {times}" for what, times in found.items()), flush=True)


if __name__ == "__main__":
    main()
