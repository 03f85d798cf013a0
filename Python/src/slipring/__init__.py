"""Slipring's runs as numpy arrays: started, watched while they compute, and read when they are finished.

    import slipring

    with slipring.start("scan.h5", output_folder="out", rotation_axis=296) as scan:
        middle = scan.run.slice(scan.run.shape[0] // 2)   # a view of the volume while it is made
    volume = slipring.open("out").volume()

`open` reads a run, live or finished; `start` begins one; `Client` and `AsyncClient` talk to a run's page, `Server` and
`AsyncServer` to a server of scans (`slipring serve`) over HTTP, `Queue` to its folder; `SharedRun` is what a denoising
program works on, `Topic` any topic of a run, `TopicWriter` one of one's own, `View` what belongs together in it.
"""

from ._client import AsyncClient, Client
from ._errors import Refused, SlipringError, Unavailable
from ._journal import Image, Images
from ._ledger import Ledger
from ._memory import Denoised, SharedRun, StageVolume, Volume
from ._process import Started, start
from ._queue import Queue
from ._records import Event
from ._run import Run, open_run as open  # noqa: A004
from ._server import AsyncServer, Events, Server
from ._server_types import Change, Scan, ScanDetails, State, Status
from ._stage import Stage
from ._topic import Topic, TopicWriter
from ._view import Item, View, ViewEvent

__all__ = [
    "AsyncClient", "AsyncServer", "Change", "Client", "Denoised", "Event", "Events", "Image", "Images", "Item", "Ledger",
    "Queue", "Refused", "Run", "Scan", "ScanDetails", "Server", "SharedRun", "SlipringError", "Stage", "StageVolume",
    "Started", "State", "Status", "Topic", "TopicWriter", "Unavailable", "View", "ViewEvent",
    "Volume", "open", "start",
]
