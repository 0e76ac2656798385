"""A project made once."""

import pytest
from tiny_world import TinyWorld

from report.projects import make_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """The project, made once. Read only."""
    return make_project(tmp_path_factory.mktemp("report") / "project")
