"""The notebook of examples/: it runs, and ships as it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("matplotlib")

NOTEBOOK = Path(__file__).parent.parent / "examples" / "live.ipynb"


def test_the_notebook_runs_as_it_ships(program, monkeypatch):
    monkeypatch.setenv("SLIPRING", program)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shipped = [bool(cell.get("outputs")) for cell in notebook.cells]
    assert "image/png" in NOTEBOOK.read_text()
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert [bool(cell.get("outputs")) for cell in notebook.cells] == shipped
