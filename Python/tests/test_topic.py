"""Topics, read from outside and written beside a run's own."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import slipring
from slipring._checksums import crc32c

WRITER = """
import struct, sys
import numpy as np
import slipring
run = slipring.open(sys.argv[1])
with run.topic_writer("mine", payload_max=40000) as topic:
    while True:
        n = topic.next
        topic.append(np.full((100, 200), n % 65536, np.uint16), struct.pack("<Q", n), number=n)
        if n % 7 == 0:
            topic.flush()
"""


@pytest.fixture(scope="module")
def finished(foam, tmp_path_factory, program):
    folder = tmp_path_factory.mktemp("finished")
    with slipring.start(
        foam, output_folder=folder / "out", rate=1000, rotation_axis=32, window_step=4, workers=2, executable=program,
    ) as scan:
        scan.wait(120)
    return slipring.open(folder / "out")


def test_a_checksum_is_the_same_in_one_piece_and_in_many():
    assert crc32c(b"123456789") == 0xE3069283
    data = np.random.default_rng(1).bytes(100_003)
    whole = crc32c(data)
    for cut in (0, 3, 511, 512, 513, 4096, 99_999):
        assert crc32c(data[cut:], crc32c(data[:cut])) == whole


def test_a_live_topic_is_read_to_its_end_from_ring_and_journal(foam, tmp_path, program):
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=100, rotation_axis=32, window_step=4, executable=program,
    ) as scan:
        with h5py.File(foam) as file:
            names = {1: "data", 2: "data_white", 3: "data_dark"}
            expected = {kind: file[f"exchange/{name}"][()] for kind, name in names.items()}
        topic = scan.run.topic("projections")
        seen = {1: 0, 2: 0, 3: 0}
        from_ring = 0
        for index, event in enumerate(topic.events(wait=60)):
            assert event.sequence == index
            if event.kind in seen:
                assert not event.pixels.flags.owndata and not event.pixels.flags.writeable
                found = event.pixels.copy()
                if not event.is_current():
                    event = topic.get(index, stable=True)
                    found = event.pixels
                assert np.array_equal(found, expected[event.kind][seen[event.kind]])
                seen[event.kind] += 1
                from_ring += not event.is_stable
        assert seen == {1: 60, 2: 3, 3: 2} and from_ring > 0
        scan.wait(120)
    assert topic.end == index + 1 and topic.get(index + 1) is None
    assert topic.get(0, stable=True).is_stable


def test_a_finished_topic_is_read_from_any_event_on_and_what_is_damaged_is_refused(finished, tmp_path):
    topic = finished.topic("projections")
    assert topic.end == 60 + 5 + 1
    assert [event.sequence for event in topic.events(start=60)] == list(range(60, 66))
    assert all(event.check() for event in topic.events())
    assert len(list(finished.topic("updates.1").events())) > 1
    for name in ("projection", "updates.7", "../x", "Updates", "updates.x"):
        with pytest.raises(slipring.Unavailable):
            finished.topic(name)
    segment = next((finished.folder / "journal" / "projections.0").glob("*.segment"))
    stride = int.from_bytes(segment.read_bytes()[40:48], "little")
    with open(segment, "r+b") as file:
        for byte, words in ((4096 + 100, None), (200, "damaged")):
            file.seek(4096 + 8 * stride + byte)
            old = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([old[0] ^ 1]))
            file.flush()
            if words is None:
                assert not finished.topic("projections")[8].check()
            else:
                with pytest.raises(slipring.Refused, match=words):
                    finished.topic("projections")[8]
            file.seek(-1, os.SEEK_CUR)
            file.write(old)
            file.flush()


def test_a_topic_of_ones_own_has_one_writer_and_a_limit(finished):
    with finished.topic_writer("notes", bytes_max=20 << 20) as notes:
        with pytest.raises(slipring.Unavailable, match="somebody else"):
            finished.topic_writer("notes")
        assert [notes.append(metadata=bytes([n % 256])) for n in range(4000)] == list(range(4000))
        with pytest.raises(slipring.SlipringError, match="at most"):
            for _ in range(5000):
                notes.append()
    with finished.topic_writer("notes", bytes_max=64 << 20) as notes:
        notes.finish()
    found = list(finished.topic("notes").events())
    assert found[77].metadata == b"M" and found[-1].kind == 9
    assert {event.epoch for event in found} == {1, 2}
    for name, words in (("projections", "run itself"), ("Not", "no name"), ("a/b", "no name")):
        with pytest.raises(slipring.SlipringError, match=words):
            finished.topic_writer(name)
    with pytest.raises(slipring.Refused, match="another size"):
        finished.topic_writer("notes", payload_max=5)


def check(event: slipring.Event, sequence: int) -> None:
    assert event.sequence == sequence == event.projection == struct.unpack("<Q", event.metadata)[0]
    assert event.pixels.shape == (100, 200) and (event.pixels == sequence % 65536).all()


def test_no_event_is_lost_or_comes_twice_when_writers_are_killed(finished):
    seed = int(os.environ.get("SEED", time.time_ns() % 10000))
    chosen, read = random.Random(seed), 0
    print("SEED", seed)
    for _ in range(int(os.environ.get("KILLS", 5))):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(finished.folder)], stderr=subprocess.PIPE)
        # Each time another reader, which goes on where the last one was.
        end, topic = None, None
        while writer.poll() is None:
            if topic is None and (finished.folder / "topics" / "mine.0").is_dir():
                topic = finished.topic("mine")
            for event in topic.events(read) if topic else ():
                check(event, read)
                read += 1
                end = end or time.monotonic() + chosen.uniform(0.01, 0.2)
            if end and time.monotonic() > end:
                writer.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        assert end, writer.communicate()[1]
        writer.communicate()
        assert topic.end >= read
    whole = list(finished.topic("mine").events())
    assert len(whole) >= read > 0 and all(event.check() for event in whole)
    for sequence, event in enumerate(whole):
        check(event, sequence)
    for event, following in zip(whole, whole[1:]):
        assert event.chain_after == following.chain
    assert pathlib.Path(finished.folder, "topics").stat().st_mode & 0o77 == 0
