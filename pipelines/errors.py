"""The one exception that means: the user's input is wrong, and here is what to do about it."""


class InputError(ValueError):
    """The user's input can't be used.

    The message is one line: what is wrong, where, and what to do. The command line shows it and exits 2; library
    users catch it like any ``ValueError``.
    """
