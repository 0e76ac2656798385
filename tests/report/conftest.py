"""A project made once, and a browser to open its report in."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tiny_world import TinyWorld

from report.projects import make_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """The project, made once. Read only."""
    return make_project(tmp_path_factory.mktemp("report") / "project")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, which draws WebGL without a graphics card."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'mmts[dev]'")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = started.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()
