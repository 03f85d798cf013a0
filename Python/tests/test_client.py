"""A run's page, and a server's queue."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest

import slipring


def test_a_page_tells_how_the_run_is_and_finalizes_it(foam, tmp_path, program, free_address):
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=15, rotation_axis=32, dashboard=free_address, workers=1,
        executable=program,
    ) as scan:
        page = scan.page
        run = scan.run
        while page.status()["run"] != run.status["run"]:
            time.sleep(0.05)
        assert page.token
        assert "slipring_projections_acquired_total" in page.metrics()
        assert "window" in page.curves()

        async def look():
            async with slipring.AsyncClient(f"http://{free_address}", page.token) as client:
                async for event in client.events():
                    return event, await client.status()

        event, status = asyncio.run(look())
        assert event["run"] == status["run"]
        while run.status["updates"] == 0:
            time.sleep(0.05)
        assert page.picture("z", 4, edge=32).startswith(b"\x89PNG")
        with pytest.raises(slipring.SlipringError, match="403"):
            slipring.Client(f"http://{free_address}").finalize()
        with pytest.raises(slipring.SlipringError, match="404"):
            page.picture("z", 400)
        page.finalize()
        result = scan.wait(60)
    assert result["projections"] < 60 and "finalized" in result["stoppedBy"]
    with pytest.raises(slipring.Unavailable, match="nobody answers"):
        page.status()


def test_a_queue_takes_scans_and_gives_their_runs(foam, tmp_path, program):
    (tmp_path / "incoming").mkdir()
    (tmp_path / "scan.yaml").write_text("rotation-axis: 32\nalgorithm: sirt\nfinal-iterations: 2\n")
    (tmp_path / "serve.yaml").write_text(
        "folder: served\nsources:\n  files: { address: 'drop:incoming', scan: scan.yaml }\n")
    server = subprocess.Popen([program, "serve", tmp_path / "serve.yaml"], stderr=subprocess.PIPE, text=True)
    try:
        queue = slipring.Queue(tmp_path / "served", program)
        for _ in range(200):
            try:
                number, = queue.add(foam)
                break
            except slipring.SlipringError:
                assert server.poll() is None
                time.sleep(0.05)
        entry = queue.wait(number, 60)
        assert entry["projections"] == 60 and queue.list() == [entry]
        assert queue.run(number).shape == (8, 64, 64)
        with pytest.raises(slipring.Unavailable, match="no scan 7"):
            queue.entry(7)
    finally:
        server.terminate()
        server.communicate(timeout=30)
