"""Whether the packages of an extra are installed."""

from __future__ import annotations

from importlib.util import find_spec

from headgate.errors import SetupError


def require_installed(*modules: str, extra: str, where: str) -> None:
    """Raises SetupError for the first of `modules` that is not installed; it names the extra that installs them."""
    for module in modules:
        if find_spec(module) is None:
            raise SetupError(f"{module} is not installed", where=where, fix=f"pip install 'headgate[{extra}]'")
