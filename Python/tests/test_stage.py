"""A program that looks at the volume while it is made."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import numpy as np
import pytest

import slipring

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "porosity.py"


def test_the_example_finds_the_pores_of_the_finished_volume(foam, tmp_path, program):
    start = tmp_path / "start"
    start.write_text(f"#!/bin/sh\nexec {sys.executable} {EXAMPLE}\n")
    start.chmod(0o700)
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=30, rotation_axis=32, window_step=4, executable=program,
        stage=f"name=pores,program={start}",
    ) as scan:
        found = scan.wait(120)["programs"][0]
    assert found["state"] == "ended" and found["restarts"] == 0, scan.messages
    run = slipring.open(tmp_path / "out")
    analysis = json.loads((run.folder / "analysis.json").read_text())
    assert found["figures"]["porosity"] == analysis["porosity"]
    volume, size = run.volume(), 64
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.broadcast_to(np.hypot(x, y) < 0.9 * size / 2, volume.shape)
    pores = inside & (volume < analysis["threshold"])
    assert analysis["porosity"] == pytest.approx(pores.sum() / inside.sum())
    assert sum(analysis["sizes"]) == pores.sum() and len(analysis["sizes"]) == analysis["pores"]


def test_pores_are_what_touches_by_faces():
    text = EXAMPLE.read_text()
    names: dict[str, object] = {}
    exec(compile(text[:text.index("stage = ")], str(EXAMPLE), "exec"), names)
    mask = np.zeros((4, 5, 6), bool)
    mask[0, 0, :] = mask[1, 0, 5] = mask[2, 0, 5] = mask[2, 1, 5] = True
    mask[3, 4, 0] = mask[2, 3, 0] = True
    assert sorted(names["components"](mask)) == [1, 1, 9]
    assert names["otsu"](np.array([0.0] * 50 + [1.0] * 50)) == pytest.approx(0, abs=1.0)


def test_a_stage_is_started_by_a_run():
    assert "SLIPRING_STAGE" not in os.environ
    with pytest.raises(slipring.Unavailable, match="--stage"):
        slipring.Stage()
