"""All probes: importing their modules registers them."""

import importlib
import pkgutil
import socket
from typing import Any

import tools.campaign
from tools.campaign.core import PROBES, Probe

__all__ = ["load", "refuse_network"]

NOT_PROBES = ("__main__", "core", "mutations", "probes")


def load() -> dict[str, Probe]:
    """Name → probe, of all modules of the package, in alphabetical order."""
    for module in pkgutil.iter_modules(tools.campaign.__path__):
        if module.name not in NOT_PROBES:
            importlib.import_module(f"tools.campaign.{module.name}")
    return dict(sorted(PROBES.items()))


def refuse_network() -> None:
    """Let every connection of this process fail, except to servers on this machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] != "127.0.0.1":
            raise OSError(f"a campaign has no network, not even {address}")
        connect(self, address)

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
