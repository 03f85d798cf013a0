"""Runs, live and finished."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time

import h5py
import numpy as np
import pytest

import slipring
from slipring._journal import Images, Journal


def input_data(foam: pathlib.Path, name: str) -> np.ndarray:
    with h5py.File(foam) as file:
        return file[f"exchange/{name}"][()]


def test_a_live_run_is_seen_as_it_computes_and_its_last_view_is_the_file(foam, tmp_path, program):
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=20, rotation_axis=32, window_step=4, workers=2, executable=program,
    ) as scan:
        run = scan.run
        assert run.is_live and run.shape == (8, 64, 64)
        while not all(run.shared.updates()):
            assert scan.process.poll() is None, scan.messages
            time.sleep(0.02)
        seen = run.volume()
        assert np.isfinite(seen).all() and seen.max() > 0
        view = run.slice(3)
        assert not view.flags.writeable and not view.flags.owndata
        with pytest.raises(IndexError):
            run.slice(8)
        before = len(run.projections)
        assert 0 < before <= 60
        result = scan.wait(120)
    # The map stays when the regions have gone.
    last = run.volume()
    assert not run.is_live and run.phase == "finished" and len(run.projections) == 60 > before
    with h5py.File(tmp_path / "out" / "foam_rec.h5") as file:
        assert np.array_equal(file["exchange/data"][()], last)
    assert result["lost"] == 0 and result["run"] == run.status["run"]


@pytest.fixture(scope="module")
def finished(foam, tmp_path_factory, program):
    folder = tmp_path_factory.mktemp("finished")
    with slipring.start(
        foam, output_folder=folder / "out", rate=1000, rotation_axis=32, window_step=4, workers=2, stop_ssim=1,
        executable=program,
    ) as scan:
        scan.wait(120)
    return folder / "out"


def test_a_finished_run_is_read_from_its_files(finished, foam):
    with slipring.open(finished) as run:
        assert not run.is_live and run.shape == (8, 64, 64)
        volume = run.volume()
        assert volume.dtype == np.float32 and np.array_equal(volume[5], run.slice(5))


def test_projections_and_fields_are_those_of_the_file_without_a_copy(finished, foam):
    run = slipring.open(finished)
    kinds = [(run.projections, "data", 60), (run.flats, "data_white", 3), (run.darks, "data_dark", 2)]
    for images, name, count in kinds:
        expected = input_data(foam, name)
        assert len(images) == count == len(expected)
        assert all(np.array_equal(image.pixels, frame) for image, frame in zip(images, expected))
        assert not images[0].pixels.flags.owndata and not images[0].pixels.flags.writeable
    assert [image.number for image in run.projections[10:13]] == [10, 11, 12]
    assert np.allclose(np.degrees(run.projections.thetas), input_data(foam, "theta"))
    assert run.projections.at(7).theta == run.projections[7].theta
    with pytest.raises(IndexError):
        run.projections.at(60)


def test_updates_and_scores_are_tables(finished):
    run = slipring.open(finished)
    updates = run.updates()
    assert set(updates["first_row"]) == {0, 4} and (updates["residual_squared"] > 0).all()
    window = updates[updates["phase"] == 1]
    assert window["end_projection"].max() == 60
    scores = run.scores()
    assert len(scores) and set(scores["worker"]) == {0, 1} and (scores["projections"] <= 60).all()


def test_the_ledger_has_what_a_file_lost(finished):
    ledger = slipring.open(finished).ledger()
    assert ledger is not None
    assert (ledger.projections, ledger.lost, ledger.duplicates, ledger.empty) == (60, 0, 0, 0)
    assert ledger.gaps.shape == (0, 2)


def test_the_ledger_of_a_detector_that_loses_frames(tmp_path, program, free_address):
    arguments = ["--rows", "4", "--columns", "32", "--projections", "60"]
    sender = subprocess.Popen(
        [program, "simulate", "--stream", f"zmq+push://{free_address}", *arguments, "--drop-fraction", "0.1", "--quiet"],
        stderr=subprocess.PIPE, text=True)
    try:
        with slipring.start(
            f"zmq+pull://{free_address}", output_folder=tmp_path / "out", shape="4,32", projections=60, flats=10,
            darks=10, rotation_axis=16, executable=program,
        ) as scan:
            scan.wait(60)
    finally:
        sender.kill()
        sender.communicate()
    ledger = slipring.open(tmp_path / "out").ledger()
    assert ledger is not None and ledger.lost == ledger.gaps[:, 1].sum() > 0 and ledger.projections < 60


def test_a_volume_on_a_coarse_grid_is_refused_and_said_to_be_one(foam, tmp_path, program):
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=20, rotation_axis=32, latency_max=0.01, when_slow="coarse",
        window_step=1, executable=program,
    ) as scan:
        volume = scan.run.shared.volumes[0]
        while not (update := volume.update()) or not update["coarse"]:
            assert scan.process.poll() is None, scan.messages
            time.sleep(0.01)
        assert 0 <= update["spread"] <= 64
        with pytest.raises(slipring.Unavailable, match="coarse grid"):
            volume.slice(0)
        scan.wait(120)
        made = scan.run.updates()
        assert made["coarse"].max() == 128 and made["spread"].max() <= 64


def test_what_is_not_there_is_said(tmp_path, program, foam):
    with pytest.raises(slipring.Unavailable, match="no run's folder"):
        slipring.open(tmp_path)
    with pytest.raises(slipring.Unavailable, match="SLIPRING_RUN"):
        slipring.SharedRun()
    with pytest.raises(slipring.Unavailable, match="no program"):
        slipring.start(foam, output_folder=tmp_path / "none", executable=tmp_path / "slipring")
    with pytest.raises(slipring.SlipringError, match="rotation axis|rotation-axis") as caught:
        with slipring.start(foam, output_folder=tmp_path / "bad", rotation_axis=900, executable=program) as scan:
            scan.wait(60)
    assert caught.value.exit_code in (64, 65)


def test_an_exception_in_the_block_aborts_the_run_which_can_be_gone_on_with(foam, tmp_path, program):
    with pytest.raises(KeyError):
        with slipring.start(
            foam, output_folder=tmp_path / "out", rate=10, rotation_axis=32, executable=program
        ) as scan:
            while len(scan.run.projections) < 5:
                assert scan.process.poll() is None, scan.messages
                time.sleep(0.02)
            raise KeyError("a mistake of mine")
    assert scan.process.returncode not in (None, 0), scan.messages
    resumed = subprocess.run([program, "resume", scan.run_folder, "--quiet"], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert slipring.open(tmp_path / "out").phase == "finished"


def test_a_record_that_somebody_wrote_over_is_not_taken(finished, tmp_path):
    copy = tmp_path / "journal"
    shutil.copytree(slipring.open(finished).folder / "journal" / "projections.0", copy)
    segment = min(copy.glob("*.segment"))
    count = len(Images(Journal(copy), 1))
    with open(segment, "r+b") as file:
        stride = int.from_bytes(segment.read_bytes()[40:48], "little")
        file.seek(4096 + 10 * stride + 104)
        file.write(b"\xff")
    assert len(Images(Journal(copy), 1)) < count
