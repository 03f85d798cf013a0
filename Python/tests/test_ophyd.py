"""The ophyd-async device of examples/, in a run engine of its own."""

from __future__ import annotations

import sys
import urllib.parse
from pathlib import Path

import h5py
import pytest

pytest.importorskip("ophyd_async")
pytest.importorskip("bluesky")
sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

from bluesky import RunEngine  # noqa: E402
from ophyd_async.core import StaticPathProvider, UUIDFilenameProvider, init_devices  # noqa: E402

from slipring_ophyd import Slipring, fly_scans  # noqa: E402


def device(engine: RunEngine, foam: Path, folder: Path, program: str, **options: object) -> Slipring:
    with init_devices():
        tomo = Slipring(
            str(foam), StaticPathProvider(UUIDFilenameProvider(), folder), executable=program, algorithm="sirt",
            final_iterations=2, **options)
    return tomo


def test_flying_gives_a_document_for_each_volume(foam, tmp_path, program):
    engine, documents = RunEngine({}), []
    engine.subscribe(lambda name, document: documents.append((name, document)))
    engine(fly_scans(device(engine, foam, tmp_path, program, rotation_axis=32), number=2, timeout=60))
    names = [name for name, _ in documents]
    assert names[:2] == ["start", "descriptor"] and names[-1] == "stop"
    assert documents[-1][1]["exit_status"] == "success"
    resources = [document for name, document in documents if name == "stream_resource"]
    assert len(resources) == names.count("stream_datum") == 2
    paths = {urllib.parse.urlparse(resource["uri"]).path for resource in resources}
    assert len(paths) == 2
    for path in paths:
        with h5py.File(path) as file:
            assert file[resources[0]["parameters"]["dataset"]].shape == (8, 64, 64)


def test_the_reason_of_a_failed_run_reaches_the_plan(foam, tmp_path, program):
    engine = RunEngine({})
    with pytest.raises(Exception) as caught:
        engine(fly_scans(device(engine, foam, tmp_path, program, rotation_axis=900), timeout=60))
    words, error = [], caught.value
    while error is not None:
        words.append(str(error))
        error = error.__cause__ or error.__context__
    assert any("axis" in text for text in words), words
