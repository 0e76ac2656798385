"""Stage ``models import``: the checkpoints that people start from, as folders that transformers loads."""

from pipelines.import_model.settings import ORIGINS, Origin
from pipelines.import_model.stage import import_model

__all__ = ["ORIGINS", "Origin", "import_model"]
