"""Finds the connectors: every module of `crm.connectors` that has a `connector`."""

import importlib
import pkgutil
from functools import cache

from addtocrm.crm import connectors
from addtocrm.crm.contract import Definition


@cache
def load() -> dict[str, Definition]:
    """The CRMs that there are, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(connectors.__path__))
    modules = [importlib.import_module(f"{connectors.__name__}.{name}") for name in names]
    found: list[Definition] = [module.connector for module in modules if hasattr(module, "connector")]
    return {one.name: one for one in found}
