"""Views of runs: what belongs together, and readers of them that are killed."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import slipring
from slipring._view import decode

VIEWS = " ".join([
    "pairs,from=projections,with=updates,match=window,copy=volume:2-3",
    "windows,from=projections,with=updates,match=window",
    "counted,from=projections:2,with=updates.1:3,match=order",
    "mirrors,from=projections,match=theta:90+-0.01",
    "few,from=projections,with=updates.0,match=window,copy=volume:0,store=0.0000625",
])

READER = """
import hashlib, sys
import slipring
run = slipring.open(sys.argv[1])
with run.view(sys.argv[2], name=sys.argv[3], wait=30, synced=False) as view:
    for item in view:
        before = view.state or b"\\0" * 32
        item.done(hashlib.sha256(before + repr((item.number, item.pointers)).encode()).digest())
"""


def read(run, view, name="reader"):
    with run.view(view, name=name) as found:
        return list(found)


@pytest.fixture(scope="module")
def finished(foam, tmp_path_factory, program):
    folder = tmp_path_factory.mktemp("views")
    with slipring.start(
        foam, output_folder=folder / "out", rate=60, rotation_axis=32, window_length=4, window_step=2, workers=2,
        algorithm="sirt", final_iterations=2, view=VIEWS, executable=program,
    ) as scan:
        live = read(scan.run, "pairs", "live")
        voxels = [item.voxels().copy() for item in live]
        result = scan.wait(120)
    run = slipring.open(folder / "out")
    assert [view["name"] for view in result["views"]] == [record.split(",")[0] for record in VIEWS.split()]
    assert all(view["isComplete"] for view in result["views"]), result["views"]
    return run, live, voxels, {view["name"]: view for view in result["views"]}


def test_an_update_comes_with_the_projections_of_its_window(finished):
    run, _, _, counts = finished
    items = read(run, "windows")
    assert [item.number for item in items] == list(range(len(items))) and counts["windows"]["items"] == len(items)
    updates = run.updates()
    windowed = updates[updates["phase"] == 1]
    assert len(items) == len(windowed) and counts["windows"]["dropped"] == 0
    found = {}
    for item in items:
        *_, update = item.pointers
        row = np.frombuffer(item.events(2)[0].metadata[:112], slipring._run.UPDATE)[0]
        first, _ = item.arrays()
        numbers = [event.projection for event in item.events(1)]
        assert numbers == list(range(row["first_projection"], row["end_projection"]))
        for number, pixels in zip(numbers, first):
            assert np.array_equal(pixels, run.projections.at(number).pixels)
            assert not pixels.flags.owndata and not pixels.flags.writeable
        assert (update.first_row, update.rows) == (row["first_row"], row["row_count"])
        assert update.generation == row["generation"]
        found.setdefault(update.topic, []).append(int(row["index"]))
    assert {topic: indices == list(range(len(indices))) for topic, indices in found.items()} == {
        "updates.0": True, "updates.1": True}


def test_copied_slices_stay_as_they_were_and_what_has_no_room_is_left_out(finished):
    run, live, voxels, counts = finished
    again = read(run, "pairs")
    assert [item.pointers for item in again] == [item.pointers for item in live] and again
    for item, before in zip(again, voxels):
        assert item.rows == range(2, 4) and np.array_equal(item.voxels(), before)
        assert item.voxels().base is not None and np.isfinite(before).all() and before.shape == (2, 64, 64)
        first, second = item.arrays()
        assert len(second) == 2 and np.array_equal(second[1], before[1]) and first
    # Every update of the one worker that has these rows was copied, or counted.
    assert counts["pairs"]["items"] + counts["pairs"]["dropped"] == counts["windows"]["items"] // 2
    assert counts["pairs"]["storedBytes"] == len(again) * 2 * 64 * 64 * 4
    # Of 64 KiB each slice takes 16.
    assert counts["few"]["items"] <= 4 and counts["few"]["storedBytes"] <= 65536
    assert counts["few"]["items"] + counts["few"]["dropped"] == counts["windows"]["items"] // 2


def test_the_n_th_belong_together_and_opposite_ones(finished):
    run, _, _, _ = finished
    for item in read(run, "counted"):
        assert [event.projection for event in item.events(1)] == [2 * item.number, 2 * item.number + 1]
        rows = [np.frombuffer(event.metadata[:112], slipring._run.UPDATE)[0] for event in item.events(2)]
        assert len(rows) == 3 and all(row["first_row"] > 0 for row in rows)
    assert item.number >= 8
    pairs = [tuple(item.events(side)[0] for side in (1, 2)) for item in read(run, "mirrors")]
    assert len(pairs) == 30
    for first, second in pairs:
        assert abs(abs(second.theta - first.theta) - np.pi / 2) < 2e-4


def test_a_reader_goes_on_where_one_of_its_name_was(finished):
    run, *_ = finished
    with run.view("windows", name="slow") as view:
        with pytest.raises(slipring.Unavailable, match="somebody else"):
            run.view("windows", name="slow")
        for item in view:
            item.done(b"so far %d" % item.number)
            if item.number == 6:
                break
        with pytest.raises(slipring.SlipringError, match="comes after"):
            older = item
            item = next(iter(view))
            item.done()
            older.done()
    with run.view("windows", name="slow") as view:
        assert view.next == 8 and view.state == b"so far 6"
        rest = list(view)
        assert [item.number for item in rest] == list(range(8, len(read(run, "windows"))))
    cursor = run.folder / "views" / "windows" / "slow.cursor"
    assert cursor.stat().st_mode & 0o77 == 0
    whole = cursor.read_bytes()
    for damaged in (b"", whole[:-1], whole[:12] + b"x" + whole[13:], whole.replace(b"windows", b"mirrors")):
        cursor.write_bytes(damaged)
        with pytest.raises(slipring.Refused, match="damaged"):
            run.view("windows", name="slow")
    cursor.write_bytes(whole)
    for name in ("Slow", "../x", ""):
        with pytest.raises(slipring.SlipringError, match="no name"):
            run.view("windows", name=name)
    with pytest.raises(slipring.Unavailable, match="no view 'none'; it has pairs, windows"):
        run.view("none")


def test_what_is_no_item_is_refused(finished):
    run, *_ = finished
    chosen = random.Random(3)
    for event in list(run.topic("views.1").events())[:3]:
        metadata = event.metadata
        assert decode(metadata).first >= 0
        for count in range(0, len(metadata), 7):
            with pytest.raises(slipring.Refused):
                decode(metadata[:count])
        for _ in range(300):
            place = chosen.randrange(len(metadata))
            damaged = metadata[:place] + bytes([chosen.randrange(256)]) + metadata[place + 1:]
            try:
                decode(damaged)
            except slipring.Refused:
                pass


def test_a_view_whose_first_event_is_damaged_is_not_an_empty_one(finished):
    run, *_ = finished
    items = read(run, "windows")
    segment = next((run.folder / "journal" / "views.1").glob("*.segment"))
    with open(segment, "r+b") as file:
        file.seek(4096 + 64)
        before = file.read(3)
        file.seek(4096 + 64)
        file.write(bytes(byte ^ 0x5A for byte in before))
        file.flush()
        try:
            again = slipring.open(run.folder)
            with pytest.raises(slipring.Unavailable, match="event 0 of 'views.1' is damaged"):
                read(again, "windows", "late")
            with pytest.raises(slipring.Unavailable, match="neither in its ring"):
                list(again.topic("views.1").events())
        finally:
            file.seek(4096 + 64)
            file.write(before)
    assert [item.pointers for item in read(slipring.open(run.folder), "windows")] == [item.pointers for item in items]


def test_slices_of_binned_updates_are_copied_in_the_size_of_the_volume(foam, tmp_path, program):
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=60, rotation_axis=32, workers=2, window_spread=2, live_binning=1,
        view="pairs,from=projections,with=updates,match=window,copy=volume:2-3", executable=program,
    ) as scan:
        result = scan.wait(120)
    items = read(slipring.open(tmp_path / "out"), "pairs")
    assert len(items) == result["views"][0]["items"] > 3
    for item in items:
        voxels = item.voxels()
        assert voxels.shape == (2, 64, 64) and voxels.max() > 0
        # 2 × 2 × 2 of them stand for what one of the binned volume is.
        assert np.array_equal(voxels[0], voxels[1])
        assert np.array_equal(voxels[0], np.kron(voxels[0][::2, ::2], np.ones((2, 2), np.float32)))


def chain(items):
    state = None
    for item in items:
        state = hashlib.sha256((state or b"\0" * 32) + repr((item.number, item.pointers)).encode()).digest()
    return state


def test_nothing_comes_twice_or_is_missing_when_join_and_reader_are_killed(foam, tmp_path, program):
    seed = int(os.environ.get("SEED", time.time_ns() % 10000))
    chosen = random.Random(seed)
    print("SEED", seed)
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=15, rotation_axis=32, window_length=4, window_step=1, workers=1,
        algorithm="sirt", final_iterations=1, view=VIEWS.split()[1] + " mirrors,from=projections,match=theta:90+-0.01",
        executable=program,
    ) as scan:
        run = scan.run

        def reader(view):
            return subprocess.Popen([sys.executable, "-c", READER, str(run.folder), view, "trainer"])

        readers = {view: reader(view) for view in ("windows", "mirrors")}
        kills = 0
        while run.phase == "scanning" and kills < 14:
            time.sleep(chosen.uniform(0.02, 0.3))
            if kills % 2:
                view = chosen.choice(list(readers))
                readers[view].kill()
                readers[view].wait()
                readers[view] = reader(view)
            else:
                join = [stage for stage in run.status["stages"] if stage["name"] == "join"]
                if not join or not join[0]["isRunning"]:
                    continue
                try:
                    os.kill(join[0]["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    continue
            kills += 1
        result = scan.wait(120)
        assert result["restarts"]["join"] > 0 and kills > 2
        for process in readers.values():
            assert process.wait(60) == 0
    windows = read(run, "windows")
    updates = run.updates()
    assert len(windows) == int((updates["phase"] == 1).sum())
    assert [[event.projection for event in item.events(1)] for item in windows] == [
        list(range(row["first_projection"], row["end_projection"])) for row in updates if row["phase"] == 1]
    mirrors = read(run, "mirrors")
    used = [event.projection for item in mirrors for side in (1, 2) for event in item.events(side)]
    assert sorted(used) == list(range(60))
    for view, items in (("windows", windows), ("mirrors", mirrors)):
        with run.view(view, name="trainer") as done:
            assert done.next == len(items) and done.state == chain(items) and not list(done)
