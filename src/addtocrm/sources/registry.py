"""Finds the providers: every module of this package that has a `provider` function."""

import importlib
import pkgutil

from addtocrm.sources import providers
from addtocrm.sources.contract import Provider, Setup


def load(setup: Setup) -> list[Provider]:
    """The providers that are set up, cheapest first.

    A provider's module has `provider(setup) -> Provider | None`; None means that it is not set up.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(providers.__path__))
    modules = [importlib.import_module(f"{providers.__name__}.{name}") for name in names]
    made = [module.provider(setup) for module in modules if hasattr(module, "provider")]
    return sorted((one for one in made if one is not None), key=lambda one: one.cost)
