"""Settings of all unit tests: no network, no windows."""

import os
import socket

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # figures are drawn into files, never on a screen
os.environ["COURSE_PROGRESS"] = "off"  # what a test solves is nobody's progress


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A test that reaches for the network fails; web servers on loopback are allowed."""
    connect = socket.socket.connect

    def local_only(self, address):
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in {"127.0.0.1", "::1", "localhost", "local"}:
            raise OSError(f"a test tried to connect to {host}; tests run without a network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
