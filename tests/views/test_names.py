"""What folders are called side by side."""

from pathlib import Path

from pipelines.views.names import names_apart


def test_as_much_of_each_path_as_tells_them_apart() -> None:
    assert names_apart([Path("/a/b")]) == ["b"]
    assert names_apart([Path("/a/b"), Path("/a/c")]) == ["b", "c"]
    assert names_apart([Path("/a/x/eval"), Path("/b/y/eval"), Path("/c")]) == ["x/eval", "y/eval", "c"]
    assert names_apart([Path("/a/b"), Path("/a/b")]) == ["b", "b"]
    assert names_apart([]) == []
