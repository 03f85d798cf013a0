"""A server of scans, over its API."""

from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
import threading
import time
import typing

import pytest

import slipring
from slipring import _server_types

DESCRIPTION = pathlib.Path(__file__).parents[2] / "Sources" / "Dashboard" / "Web" / "openapi.json"


@pytest.fixture
def server(tmp_path, program, free_address):
    """A server with a folder of files, and its token."""
    (tmp_path / "incoming").mkdir()
    (tmp_path / "scan.yaml").write_text("rotation-axis: 32\nalgorithm: sirt\nfinal-iterations: 2\n")
    (tmp_path / "serve.yaml").write_text(
        f"folder: served\naddress: {free_address}\n"
        "sources:\n  files: { address: 'drop:incoming', scan: scan.yaml }\n")

    def start():
        process = subprocess.Popen([program, "serve", tmp_path / "serve.yaml"], stderr=subprocess.PIPE, text=True)
        client = slipring.Server(f"http://{free_address}", _token(tmp_path / "served" / "token", process))
        for _ in range(400):
            try:
                client.status()
                break
            except slipring.Unavailable:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
        return process, client

    def stop(process):
        process.terminate()
        process.communicate(timeout=30)

    running = []

    class Served:
        incoming = tmp_path / "incoming"

        def __init__(self):
            self.restart()

        def restart(self):
            if running:
                stop(running.pop())
            process, self.client = start()
            running.append(process)

    yield Served()
    for process in running:
        stop(process)


def _token(path, process):
    for _ in range(400):
        if path.exists() and (token := path.read_text().strip()):
            return token
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no token")


def test_scans_are_added_waited_for_and_listed(server, foam):
    client, path = server.client, server.incoming / "foam.h5"
    hidden = server.incoming / ".foam.h5"
    hidden.write_bytes(foam.read_bytes())
    seen = []
    with client.events(after=0, timeout=60) as events:
        number, = client.add(str(hidden), priority=3)
        for change in events:
            seen.append(change["state"])
            if change["state"] == "finished":
                break
    assert seen[0] == "waiting" and "running" in seen
    details = client.wait(number, 60)
    assert details["scan"]["projections"] == 60 and details["outputs"][0]["path"].startswith("/")
    assert [scan["number"] for scan in client.scans()] == [number] == [
        scan["number"] for scan in client.scans("finished", limit=1)]
    assert client.queue() == [] and list(client.scans("failed")) == []
    assert client.status()["scans"]["finished"] == 1
    assert client.picture(number).startswith(b"\x89PNG") and "slipring_scans" in client.metrics()
    assert isinstance(client.log(number), str)
    assert not path.exists()


def test_what_is_refused_says_why(server, tmp_path):
    client = server.client
    with pytest.raises(slipring.Unavailable, match="no scan 7"):
        client.scan(7)
    with pytest.raises(slipring.SlipringError, match="404") as refused:
        client.retry(7)
    assert refused.value.status == 404
    with pytest.raises(slipring.SlipringError, match="403"):
        client.add(str(tmp_path / "serve.yaml"))
    bare = slipring.Server(f"http://{client._page._host}:{client._page._port}")
    assert bare.queue() == []
    with pytest.raises(slipring.SlipringError, match="403"):
        bare.remove(7)
    with pytest.raises(slipring.Unavailable, match="nobody answers"):
        slipring.Server("http://127.0.0.1:9").status()


def test_events_go_on_over_a_restart_of_the_server_and_end_when_they_are_closed(server):
    (server.incoming / "bad.h5").write_bytes(b"\x07" * 1000)
    events = server.client.events(after=0, timeout=60)
    assert next(events)["id"] == 1
    server.restart()
    numbers = []
    for change in events:
        numbers.append(change["id"])
        if change["state"] == "failed":
            break
    assert numbers == list(range(2, 2 + len(numbers)))
    with pytest.raises(slipring.SlipringError, match="scan 1 failed"):
        server.client.wait(1, 10)
    quiet = server.client.events(timeout=0.3)
    with pytest.raises(TimeoutError):
        next(quiet)
    endless = server.client.events()
    threading.Timer(0.5, endless.close).start()
    assert list(endless) == []


def test_asyncio_has_the_same(server, foam):
    async def look():
        client = slipring.AsyncServer(f"http://{server.client._page._host}:{server.client._page._port}",
            server.client._page.token)
        hidden = server.incoming / ".foam.h5"
        hidden.write_bytes(foam.read_bytes())
        number, = await client.add(str(hidden))
        async for change in client.events(after=0, timeout=60):
            if change["state"] == "finished":
                break
        details = await client.wait(number, 60)
        await client.metrics()
        assert (await client.scans())[0] == details["scan"] and await client.queue() == []
        with pytest.raises(slipring.SlipringError, match="409"):
            await client.remove(number)
        return await client.status()

    assert asyncio.run(look())["scans"]["finished"] == 1


def test_types_are_those_of_the_description():
    schemas = json.loads(DESCRIPTION.read_text())["components"]["schemas"]
    names = {"Server": "ServerState"}
    for schema in (
        "Clearing", "Progress", "Scan", "Output", "ScanDetails", "Disk", "Process", "Server", "Status", "Change",
    ):
        kind = getattr(_server_types, names.get(schema, schema))
        assert set(typing.get_type_hints(kind)) == set(schemas[schema]["properties"]), schema
        assert kind.__required_keys__ == set(schemas[schema]["required"]), schema
    assert list(typing.get_args(slipring.State)) == schemas["State"]["enum"]
