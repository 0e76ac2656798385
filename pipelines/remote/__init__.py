"""Remote files: each has a copy on this machine, which the stages read and write, and a URL, by which it is named."""

from pipelines.remote.copies import (
    exists,
    fetch,
    found_below,
    is_folder,
    located,
    push,
    push_if_possible,
    pushing,
    unfetched,
)
from pipelines.remote.paths import RemotePath, as_path, cache_folder, is_url, remove_folder

__all__ = [
    "RemotePath",
    "as_path",
    "cache_folder",
    "exists",
    "fetch",
    "found_below",
    "is_folder",
    "is_url",
    "located",
    "push",
    "push_if_possible",
    "pushing",
    "remove_folder",
    "unfetched",
]
