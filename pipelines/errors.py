"""The exceptions that are not faults: the user's input is wrong, or the user stopped a run."""


class InputError(ValueError):
    """The user's input can't be used.

    The message is one line: what is wrong, where, and what to do. The command line shows it and exits 2; library
    users catch it like any ``ValueError``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))  # names that it quotes may hold line breaks


class Interrupted(Exception):  # noqa: N818  as KeyboardInterrupt, no error
    """A run stopped because it was asked to, with what it needs to go on written.

    The message is one line: where it stopped and how to go on. The command line shows it and exits 130.
    """
