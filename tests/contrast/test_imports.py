import subprocess
import sys

import pytest


def loaded(statement: str, *modules: str) -> list[str]:
    """Those of some modules that a statement loads in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint(*sorted({set(modules)!r} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(("statement", "torch"), [("info_nce", ["torch"]), ("LOSSES, STRATEGIES", [])])
def test_the_losses_need_torch_alone_and_their_names_not_even_that(statement: str, torch: list[str]) -> None:
    heavy = (
        "torch",
        "sentence_transformers",
        "transformers",
        "pandas",
        "pyarrow",
        "faiss",
        "lightning_fabric",
        "typer",
    )
    assert loaded(f"from pipelines.contrast import {statement}", *heavy) == torch


def test_a_name_nobody_has_is_an_attribute_error() -> None:
    import pipelines.contrast

    with pytest.raises(AttributeError, match="no attribute 'info_nse'"):
        pipelines.contrast.info_nse  # noqa: B018  # reading it is the test
