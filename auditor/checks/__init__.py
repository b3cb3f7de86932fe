"""One file, one check. Every module in this folder is imported, so it registers itself.

Third parties register theirs through the entry point group `auditor.checks`.
"""

import importlib
import pkgutil
from importlib import metadata

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
for _entry in metadata.entry_points(group="auditor.checks"):
    _entry.load()
