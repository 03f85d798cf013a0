"""Scans to work on. SLIPRING names the program; without it the one on the PATH is tested."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess

import pytest


@pytest.fixture(scope="session")
def program() -> str:
    return os.environ.get("SLIPRING", "slipring")


@pytest.fixture(scope="session")
def foam(tmp_path_factory: pytest.TempPathFactory, program: str) -> pathlib.Path:
    """A scan of 60 projections of 8 x 64 pixels with two darks and three flats."""
    path = tmp_path_factory.mktemp("foam") / "foam.h5"
    subprocess.run(
        [program, "simulate", path, "--rows", "8", "--columns", "64", "--projections", "60", "--darks", "2", "--flats",
            "3", "--quiet"], check=True, capture_output=True)
    return path


@pytest.fixture
def free_address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
