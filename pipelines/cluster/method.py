"""What a clustering method is: its options, and how it reads and clusters samples.

The command line reads the options of every method for ``--help``, so nothing here or at the top of a method's file
imports numpy or anything else that takes its time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """An option of a method; methods that share one share the object.

    Attributes:
        name: Its name in the library.
        kind: Its type: ``int``, ``bool``, ``list[str]`` or a ``Literal`` of strings.
        help: What it does, for people.
        default: Its value where it isn't given; None where there is none.
        required: Whether it has to be given.
        least: Smallest number accepted.
        most: Largest number accepted, where there is a smallest.
        flag: Its name on the command line, where that isn't ``--name``; of a ``bool`` both names, as ``--yes/--no``.
        added: Whether it came later: at its default it is left out of the record, so that older files stay up to date.
    """

    name: str
    kind: Any
    help: str
    default: Any = None
    required: bool = False
    least: int | None = None
    most: int | None = None
    flag: str = ""
    added: bool = False

    @property
    def flags(self) -> str:
        """Its name on the command line."""
        return self.flag or f"--{self.name.replace('_', '-')}"

    def check(self, value: Any) -> None:
        """Check a value.

        Raises:
            InputError: It is out of range, or no choice.
        """
        if get_origin(self.kind) is Literal and value not in get_args(self.kind):
            raise InputError(f"{self.flags} {value}: expected one of {', '.join(get_args(self.kind))}")
        below = self.least is not None and value < self.least
        above = self.most is not None and value > self.most
        if below or above:
            wanted = f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"
            raise InputError(f"{self.flags} {value}: expected {wanted}")


SEED = Option("seed", int, "Random seed.", default=0, least=0, most=2**31 - 1)


@dataclass(frozen=True)
class Samples:
    """The n samples that are clustered.

    Attributes:
        ids: Their ids ``(n,)``.
        split: The split of each ``(n,)``; None where the file has none.
        content: What the method clusters: vectors ``[m, d]``, as `Matrix`, or what else its ``read`` gives, of m items.
        item_n: Which item each sample is ``(n,)``, where several samples share one; None where each is its own.
    """

    ids: "pa.ChunkedArray"
    split: "pa.ChunkedArray | None"
    content: Any
    item_n: "NDArray[np.int64] | None" = None


def read_embeddings(source: Path, options: Values, scratch: Path | None) -> Samples:
    """The vectors of an embeddings file; large ones are on the disk, in the folder ``scratch``.

    Raises:
        InputError: The file can't be used.
    """
    from pipelines.artifacts import read_vectors

    vectors = read_vectors(source, id_column="sample_id", scratch=scratch)
    return Samples(vectors.ids, vectors.split, vectors.matrix_nd)


@dataclass(frozen=True)
class Method:
    """A clustering method, a file of its own in ``pipelines/cluster/methods``.

    Attributes:
        name: What ``--method`` calls it.
        description: What it does, in a few words.
        options: The options it takes.
        fit: Clusters the ``content`` of `Samples`: ``fit(content, count_m, **options)``, with the number of training
            samples that each of the m items stands for; items of 0 are not fitted on.
        read: Reads the samples from the source: ``read(source, options, scratch)``.
        source: What it reads: ``embeddings`` or ``annotations``.
        libraries: Distributions whose versions belong in the output's footer.
        results: Number of its results, see `StagePlan`.
        fitted_copies: How often it holds the rows that it is fitted on.
        state_bytes: Bytes that it holds beside rows: ``state_bytes(options, rows, dimension, clusterings)``, with the
            number of samples, the length of a row, and how many clusterings are made at a time.
        is_bounded: Whether it is fitted on no more rows than `rows_to_fit` allows, and reads the others in blocks; else
            all vectors are held in memory.
        has_labels: Whether there are clusters of several samples, for labels to say what is in them.
        has_engines: Whether ``fit`` takes an ``engine``, whose workers find each row's cluster.
        has_devices: Whether ``fit`` takes a ``device``, which may be a GPU.
        require_effect: Refuses options that were given and have no effect beside the others:
            ``require_effect(given, values)``.
    """

    name: str
    description: str
    options: tuple[Option, ...]
    fit: "Callable[..., Clustering]"
    read: Callable[[Path, Values, Path | None], Samples] = read_embeddings
    source: str = "embeddings"
    libraries: tuple[str, ...] = ()
    results: int = 1
    fitted_copies: float = 1.0
    state_bytes: Callable[[Values, int, int, int], int] = lambda options, rows, dimension, clusterings: 0
    is_bounded: bool = True
    has_labels: bool = True
    has_engines: bool = False
    has_devices: bool = False
    require_effect: Callable[[Values, Values], None] = lambda given, values: None

    def values(self, given: Values, others: "tuple[Method, ...]") -> dict[str, Any]:
        """The options that were given, checked, and the defaults of the others.

        Args:
            given: Options by name; None, or an empty list, where one isn't given.
            others: All methods, to say whose an option is.

        Raises:
            InputError: An option is another method's, unknown, missing, out of range or without effect.
        """
        given = {name: value for name, value in given.items() if value is not None and value != []}
        own = {option.name: option for option in self.options}
        for name in given:
            if name not in own:
                raise InputError(self._foreign(name, others))
        for option in self.options:
            if option.name in given:
                option.check(given[option.name])
            elif option.required:
                raise InputError(f"--method {self.name} needs {option.flags}, the {option.help}")
        values = {option.name: given.get(option.name, option.default) for option in self.options}
        self.require_effect(given, values)
        return values

    def recorded(self, values: Values) -> dict[str, Any]:
        """The options as the output's footer has them, without the seed, which has its own place there."""
        kept = [each for each in self.options if not (each.added and values[each.name] == each.default)]
        return {option.name: values[option.name] for option in kept if option is not SEED}

    def _foreign(self, name: str, others: "tuple[Method, ...]") -> str:
        owners = [method.name for method in others if any(option.name == name for option in method.options)]
        flags = {option.name: option.flags for method in others for option in method.options}
        if not owners:
            return f"'{name}' is no option of a clustering method (there are {', '.join(sorted(flags))})"
        return f"{flags[name]}: is for --method {' and '.join(owners)}; leave it out with {self.name}"
