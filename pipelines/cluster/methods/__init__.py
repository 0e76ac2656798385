"""The clustering methods, a file each: whatever file here holds a ``METHOD`` is one."""

import importlib
import pkgutil

from pipelines.cluster.method import Method

_found = (importlib.import_module(f"{__name__}.{module.name}").METHOD for module in pkgutil.iter_modules(__path__))
METHODS: dict[str, Method] = {method.name: method for method in _found}
DEFAULT = "kmeans"
