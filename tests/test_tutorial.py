"""The tutorial runs from its first cell to its last, and shows tables and figures."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"


@pytest.fixture
def tutorial() -> nbformat.NotebookNode:
    notebook = nbformat.read(TUTORIAL, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def test_it_is_kept_without_outputs(tutorial) -> None:
    assert [cell.source for cell in tutorial.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_its_links_lead_to_pages(tutorial) -> None:
    text = "\n".join(cell.source for cell in tutorial.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    assert [link for link in links if not (TUTORIAL.parent / link).exists()] == []


@pytest.mark.slow
def test_it_runs_and_shows_what_it_says(tutorial, tmp_path) -> None:
    NotebookClient(tutorial, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        {kind: data for output in cell.outputs for kind, data in output.get("data", {}).items()}
        for cell in tutorial.cells
        if cell.cell_type == "code"
    ]
    assert [sorted({"text/html", "image/png"} & set(each)) for each in shown] == [
        [],  # the concepts
        ["text/html"],  # annotations
        ["text/html"],  # clusters
        ["text/html"],  # labels
        ["image/png"],  # the tail
        ["image/png"],  # the band
        *[["text/html"]] * 6,  # run, scores, the run again with curves, sweep, its runs, scores of the tail
    ]
    run = shown[8]["text/html"]
    assert "<img " in run
    assert "text to media" in run
    assert "temperature" in run
    assert max(len(each["text/plain"]) for each in (shown[2], *shown[4:10])) < 200
