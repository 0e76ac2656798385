"""A lock file whose lock the operating system frees when its process ends, however that ends."""

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond the owner's name: what is locked can't be read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        # POSIX locks, not flock: they hold over NFS, and a forked worker that outlives this process doesn't keep them.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


_mine: set[str] = set()  # lock files that this process holds


class HeldError(Exception):
    """Another process holds a lock; the message says which."""


class FileLock:
    """An exclusive lock between processes, and between machines where the file system has locks.

    The file names the owner. It is removed on release; one that a killed process left is taken over.

    Args:
        path: The lock file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock without waiting.

        On a file system that has no locks there is none, and this does nothing.

        Raises:
            HeldError: Another process has it.
            OSError: The lock file can't be made.
        """
        while self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(handle)
                if self._is_named(handle):
                    self._handle = handle
                    _mine.add(os.path.realpath(self._path))
            except OSError as error:
                if error.errno in _HELD:
                    owner = os.pread(handle, 200, 0).decode(errors="replace") if hasattr(os, "pread") else ""
                    raise HeldError(owner or "another process") from error
                if error.errno not in _NO_LOCKS:
                    raise
                self._path.unlink(missing_ok=True)
                return
            finally:
                if self._handle is None:
                    os.close(handle)
        with contextlib.suppress(OSError):  # on a full disk the lock still holds
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def release(self) -> None:
        """Remove the lock file and give the lock back."""
        if self._handle is None:
            return
        _mine.discard(os.path.realpath(self._path))
        if sys.platform != "win32":  # there an open file can't be removed
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None
        if sys.platform == "win32":
            with contextlib.suppress(OSError):  # another process has taken it
                self._path.unlink()

    def _is_named(self, handle: int) -> bool:
        """Whether the file that was locked still has its name: its last owner may just have removed it."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False


def is_held(path: Path) -> bool:
    """Whether a living process, this one or another, holds a lock file; one that a killed process left is not held."""
    if os.path.realpath(path) in _mine:  # to try it would give it back
        return True
    try:
        with path.open("r+b") as file:
            _lock(file.fileno())
    except PermissionError:  # locked, or somebody else's
        return True
    except OSError as error:
        return error.errno in _HELD
    return False
