"""The page of a run over HTTP, with the standard library alone."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

from ._errors import Unavailable
from ._http import Page

_EVENT_TIMEOUT = 60.0


class Client(Page):
    """A run's page: `Client("http://127.0.0.1:8787/?token=…")`, the address that slipring printed.

    Without a token, a page on this machine can be looked at, and nothing be changed. Each call has a connection of its
    own, so it may be used from several threads.
    """

    def status(self) -> dict[str, Any]:
        """Everything that the page shows."""
        return self._json("/api/status")

    def curves(self) -> dict[str, Any]:
        """Residuals and similarity over the updates."""
        return self._json("/api/curves")

    def metrics(self) -> str:
        """What Prometheus gets."""
        return self._request("GET", "/metrics").decode()

    def picture(self, cut: str, number: int, **query: str | int | float) -> bytes:
        """A cut of the newest volume as PNG: `picture("z", 100, edge=512)`; `low=` and `high=` are black and white."""
        words = urllib.parse.urlencode(query)
        return self._request("GET", f"/slices/{cut}/{number}.png" + (f"?{words}" if words else ""))

    def events(self) -> Iterator[dict[str, Any]]:
        """The status whenever it changes, until the run's page closes."""
        connection, response, _ = self._open("GET", "/api/events", _EVENT_TIMEOUT)
        try:
            for line in response:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])
        except TimeoutError:
            raise Unavailable(f"the page was silent for {_EVENT_TIMEOUT} s") from None
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def finalize(self) -> None:
        """Ends the acquisition; what was acquired is reconstructed and written. Needs the token."""
        self._request("POST", "/finalize")

    def abort(self) -> None:
        """Stops the run; what was acquired is kept. Needs the token."""
        self._request("POST", "/abort")

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open between calls."""


class AsyncClient:
    """The same for asyncio; each call waits in a thread of the loop's own pool."""

    def __init__(self, address: str, token: str | None = None, timeout: float = 10) -> None:
        self.client = Client(address, token, timeout)

    async def status(self) -> dict[str, Any]:
        """As `Client.status`."""
        return await asyncio.to_thread(self.client.status)

    async def curves(self) -> dict[str, Any]:
        """As `Client.curves`."""
        return await asyncio.to_thread(self.client.curves)

    async def metrics(self) -> str:
        """As `Client.metrics`."""
        return await asyncio.to_thread(self.client.metrics)

    async def picture(self, cut: str, number: int, **query: str | int | float) -> bytes:
        """As `Client.picture`."""
        return await asyncio.to_thread(lambda: self.client.picture(cut, number, **query))

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """As `Client.events`."""
        events = self.client.events()
        while True:
            event = await asyncio.to_thread(next, events, None)
            if event is None:
                return
            yield event

    async def finalize(self) -> None:
        """As `Client.finalize`."""
        await asyncio.to_thread(self.client.finalize)

    async def abort(self) -> None:
        """As `Client.abort`."""
        await asyncio.to_thread(self.client.abort)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open between calls."""
