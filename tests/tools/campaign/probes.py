"""All probes: importing their modules registers them."""

import importlib
import pkgutil
import socket

import tools.campaign

__all__ = ["load"]

NOT_PROBES = ("__main__", "core", "mutations", "probes")


def load() -> None:
    """Register the probes of all modules of the package, and forbid connections to the network."""
    for module in pkgutil.iter_modules(tools.campaign.__path__):
        if module.name not in NOT_PROBES:
            importlib.import_module(f"tools.campaign.{module.name}")

    def refuse(self: socket.socket, address: object) -> None:
        raise OSError(f"a campaign has no network, not even {address}")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
