"""One object decides what a person, a script or a quiet run sees: results on stdout, everything else on stderr."""

import contextlib
import dataclasses
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from mmts_cli.streams import printable, printable_json, to_nowhere

_WIDEST = 10_000


class _Terminal(Console):
    """A rich console on which no text moves the cursor, and that goes on in silence when its reader has gone."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed, made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Go on without a reader."""
        self.quiet = True
        to_nowhere(self.file)  # type: ignore[arg-type]  # a TextIO, though declared as less


@dataclasses.dataclass
class _Bar:
    progress: Progress
    identity: TaskID

    def advance(self, count: int = 1, note: str = "") -> None:
        self.progress.update(self.identity, advance=count, note=note)


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {task.fields['unit']}/s" if speed else "")


class _NotedProgress(Progress):
    """Progress bars with each task's note on a line of its own, where it has room on a narrow terminal too."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, and below them the notes."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields["note"]:
                yield Text(f"  {task.fields['note']}", no_wrap=True, overflow="ellipsis")


class Output:
    """Where a command's words go.

    Args:
        as_json: Print one JSON object on stdout and nothing else there.
        quiet: Print nothing but errors.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._out = _Terminal()
        self._err = _Terminal(stderr=True)

    @property
    def width(self) -> int:
        """Characters in a line of stdout."""
        return self._out.width

    def result(self, value: dict[str, Any], human: Callable[[], Iterator[RenderableType]]) -> None:
        """Show a command's result: ``value`` as JSON for scripts, what ``human`` yields for people."""
        if self.as_json:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            try:
                sys.stdout.write(printable_json(text, sys.stdout.encoding) + "\n")
                sys.stdout.flush()
            except BrokenPipeError:
                to_nowhere(sys.stdout)
        elif not self.quiet:
            width = self.width
            for part in human():
                self._out.width = max(width, _needed(part, self._out)) if isinstance(part, Table) else width
                self._out.print(part, crop=False, soft_wrap=isinstance(part, (str, Text)))

    def note(self, text: RenderableType) -> None:
        """Say something about the way there, on stderr."""
        if not self.quiet:
            self._err.print(text, soft_wrap=isinstance(text, (str, Text)))

    @contextlib.contextmanager
    def task(self, label: str, total: int, unit: str) -> Iterator[_Bar]:
        """A progress bar on stderr, where stderr is a terminal."""
        progress = _NotedProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Rate(),
            TimeRemainingColumn(),
            console=self._err,
            disable=self.quiet or not self._err.is_terminal,
            transient=True,
        )
        with progress:
            yield _Bar(progress, progress.add_task(label, total=total, unit=unit, note=""))

    @contextlib.contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show each Python warning raised inside as one line on stderr, once."""
        seen: set[str] = set()

        def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
            text = " ".join(str(message).split())
            if issubclass(category, UserWarning) and text not in seen:
                seen.add(text)
                self.note(Text(f"warning: {text}", style="yellow"))

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield


def _needed(table: Table, console: Console) -> int:
    """Characters in a line of a table without which numbers would be cut off: lines that break lose nothing."""
    if any(column.overflow == "fold" for column in table.columns):
        return 0
    measured = Measurement.get(console, console.options.update(max_width=_WIDEST), table)
    cut = all(column.no_wrap for column in table.columns) or measured.minimum > console.width
    return measured.maximum if cut else 0
