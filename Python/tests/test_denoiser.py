"""The example that learns a denoiser from a view while the scan runs."""

from __future__ import annotations

import json
import pathlib
import random
import subprocess
import sys
import time

import pytest

import slipring

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "train_denoiser.py"


def train(folder: pathlib.Path, *reader: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(EXAMPLE), str(folder), "pairs", *reader], stdout=subprocess.PIPE)


@pytest.fixture
def noisy(tmp_path: pathlib.Path, program: str) -> pathlib.Path:
    path = tmp_path / "noisy.h5"
    subprocess.run(
        [program, "simulate", path, "--rows", "2", "--columns", "64", "--projections", "120", "--darks", "2", "--flats",
            "20", "--photons", "500", "--quiet"], check=True, capture_output=True)
    return path


def test_what_is_learnt_is_the_same_however_often_the_trainer_is_killed(noisy, tmp_path, program):
    chosen, kills = random.Random(7), 0
    with slipring.start(
        noisy, output_folder=tmp_path / "out", rate=40, rotation_axis=32, window_length=30, window_step=4, workers=1,
        algorithm="sirt", final_iterations=1, view="pairs,from=projections,with=updates,match=window,copy=volume:1",
        executable=program,
    ) as scan:
        folder = scan.run.folder
        trainer = train(folder)
        while scan.run.phase == "scanning":
            time.sleep(chosen.uniform(0.3, 0.7))
            trainer.kill()
            trainer.wait()
            kills += 1
            trainer = train(folder)
        scan.wait(120)
    killed = json.loads(trainer.communicate(timeout=60)[0])
    at_once = json.loads(train(folder, "other").communicate(timeout=60)[0])
    assert killed == at_once and kills > 1
    with slipring.open(folder).view("pairs", name="trainer") as view:
        assert view.next == killed["items"] > 15
    # Blurred slices agree better with projections that are not in them than noisy ones do.
    assert killed["lossDenoised"] < killed["lossAsItIs"] < 0.5, killed
