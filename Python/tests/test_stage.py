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


DOUBLE = """
import numpy as np
import slipring

stage = slipring.Stage()
for volume in stage.volumes():
    with stage.output() as out:
        np.multiply(volume, 2, out=out)
    stage.report(sum=float(volume.sum(dtype=float)))
"""

LABEL = """
import numpy as np
import slipring

stage = slipring.Stage()
for volume in stage.volumes():
    assert not volume.flags.writeable
    with stage.output() as out:
        out[...] = volume > 0
    if stage.is_current():
        stage.report(sum=float(volume.sum(dtype=float)), share=float(out.mean()), last=float(stage.is_last))
    assert not stage.is_last or stage.source.is_complete
"""


def test_stages_read_what_others_write(foam, tmp_path, program):
    for name, text in [("double", DOUBLE), ("label", LABEL)]:
        (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / name).write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/{name}.py\n")
        (tmp_path / name).chmod(0o700)
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=30, rotation_axis=32, window_step=4, executable=program,
        stage=f"name=double,program={tmp_path}/double,writes=volume:f32 "
        f"name=label,program={tmp_path}/label,reads=double,writes=labels:u8",
    ) as scan:
        double, label = scan.wait(120)["programs"]
    assert double["state"] == label["state"] == "ended", scan.messages
    volume = slipring.open(tmp_path / "out").volume()
    assert label["figures"]["last"] == 1
    assert label["figures"]["sum"] == pytest.approx(2 * volume.sum(dtype=float), rel=1e-6)
    assert label["figures"]["share"] == pytest.approx((volume > 0).mean())


def test_a_stage_is_started_by_a_run():
    assert "SLIPRING_STAGE" not in os.environ
    with pytest.raises(slipring.Unavailable, match="--stage"):
        slipring.Stage()
