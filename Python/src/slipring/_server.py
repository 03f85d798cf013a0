"""A server of scans (`slipring serve`) over HTTP: what it has, what can be asked of it, and what changes."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, cast

from ._errors import SlipringError, Unavailable
from ._http import Answer, Page
from ._server_types import Change, Scan, ScanDetails, State, Status

_API = "/api/v1"
_PAGE_LENGTH = 500
_FILES_MAX = 100
# A stream that is silent for so long is opened anew: so it is seen whether the server is still there.
_SILENCE = 30.0
_ATTEMPTS = 8
_POLL = 0.25


class Events(Iterator[Change]):
    """Changes of scans, one after the other, as they happen. A connection that ends is opened again behind the last
    change, so none is missed; `Unavailable` where nobody answers for about ten seconds, `TimeoutError` where nothing
    changes for longer than the limit. `close` ends it, also from another thread.
    """

    def __init__(self, page: Page, after: int, timeout: float | None) -> None:
        self._page, self._last, self._timeout = page, after, timeout
        self._stream: Answer | None = None
        self._is_closed = False

    def __next__(self) -> Change:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        failures = 0
        while not self._is_closed:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"nothing changed for {self._timeout} s")
            try:
                change = self._read(deadline)
            except Unavailable:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise
                time.sleep(min(0.1 * 2**failures, 3))
                continue
            if change is not None and change["id"] > self._last:
                self._last = change["id"]
                return change
        raise StopIteration

    def _read(self, deadline: float | None) -> Change | None:
        """The next change; None where the connection ended."""
        wait = _SILENCE if deadline is None else max(0.01, min(_SILENCE, deadline - time.monotonic()))
        if self._stream is None:
            self._stream = self._page._open("GET", f"{_API}/events?after={self._last}", wait)
        stream = self._stream
        try:
            stream.socket.settimeout(wait)
            while not self._is_closed and (line := stream.response.readline()):
                if line.startswith(b"data:"):
                    return cast(Change, json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException):
            # What is wrong with it shows when it is opened again.
            pass
        self._end()
        return None

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        if stream:
            stream.response.close()
            stream.connection.close()

    def close(self) -> None:
        """No more changes."""
        self._is_closed = True
        stream = self._stream
        if stream:
            try:
                # Whoever waits for a line gets its end.
                stream.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Server:
    """`Server("http://127.0.0.1:8080", token)`: the address of serve.yaml, and the token that lies in `token` in the
    server's folder. On the server's machine everything can be read without a token. Threads may share one.
    """

    def __init__(self, address: str, token: str | None = None, timeout: float = 10) -> None:
        self._page = Page(address, token, timeout)

    def _get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        words = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        return self._page._json(_API + path + (f"?{words}" if words else ""))

    def _ask(self, number: int, order: str, **body: Any) -> ScanDetails:
        return cast(ScanDetails, self._page._json(f"{_API}/scans/{number}/{order}", "POST", body or None))

    def status(self) -> Status:
        """How the server is: scans in each state, what runs, its disk."""
        return cast(Status, self._get("/status"))

    def scans(self, state: State | None = None, limit: int | None = None) -> Iterator[Scan]:
        """Its scans, the newest first, page by page; at most `limit` of them, and of one state where that is given."""
        before, left = None, limit
        while left is None or left > 0:
            length = _PAGE_LENGTH if left is None else min(left, _PAGE_LENGTH)
            page = self._get("/scans", state=state, limit=length, before=before)
            yield from page["scans"]
            before = page.get("next")
            left = None if left is None else left - len(page["scans"])
            if before is None:
                return

    def queue(self) -> list[Scan]:
        """Scans of which something is to be done, in the order in which they come."""
        return cast(list[Scan], self._get("/queue")["scans"])

    def scan(self, number: int) -> ScanDetails:
        """Everything that is known of one scan; `Unavailable` where there is none of that number."""
        try:
            return cast(ScanDetails, self._get(f"/scans/{number}"))
        except SlipringError as error:
            if error.status == 404:
                raise Unavailable(str(error)) from None
            raise

    def add(self, *files: str, source: str | None = None, priority: int = 0) -> list[int]:
        """Adds scan files that lie on the server's machine, by absolute paths; gives their numbers."""
        numbers: list[int] = []
        for start in range(0, len(files), _FILES_MAX):
            body: dict[str, Any] = {"files": list(files[start : start + _FILES_MAX]), "priority": priority}
            if source is not None:
                body["source"] = source
            numbers += self._page._json(f"{_API}/scans", "POST", body)["scans"]
        return numbers

    def finalize(self, number: int) -> ScanDetails:
        """Ends the acquisition of a scan that is being reconstructed; what came is reconstructed and written."""
        return self._ask(number, "finalize")

    def abort(self, number: int) -> ScanDetails:
        """Stops a scan that is being reconstructed, and takes it out of the queue; what was acquired is kept."""
        return self._ask(number, "abort")

    def remove(self, number: int) -> ScanDetails:
        """Takes a scan out of the queue. Nothing is deleted."""
        return self._ask(number, "remove")

    def retry(self, number: int) -> ScanDetails:
        """Puts a scan that failed or was removed into the queue again."""
        return self._ask(number, "retry")

    def move(self, number: int, priority: int) -> ScanDetails:
        """Gives a scan that waits another priority; higher ones come first."""
        return self._ask(number, "priority", priority=priority)

    def picture(self, number: int) -> bytes:
        """The middle slice of a scan, as PNG."""
        return self._page._request("GET", f"/scans/{number}/picture.png")

    def log(self, number: int) -> str:
        """The end of what the processes of a scan said."""
        return self._page._request("GET", f"/scans/{number}/log").decode(errors="replace")

    def metrics(self) -> str:
        """What Prometheus gets."""
        return self._page._request("GET", "/metrics").decode()

    def events(self, after: int | None = None, timeout: float | None = None) -> Events:
        """Changes behind the one with the number `after`, by default those that come from now on; waits for each as
        long as it takes, or `timeout` seconds."""
        return Events(self._page, self.status()["lastChange"] if after is None else after, timeout)

    def wait(self, number: int, timeout: float) -> ScanDetails:
        """Waits until a scan is over; throws `SlipringError` with its reason where it has no volume, or TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            details = self.scan(number)
            scan = details["scan"]
            if scan["state"] == "finished":
                return details
            if scan["state"] in ("failed", "removed"):
                raise SlipringError(f"scan {number} {scan['state']}: {scan.get('reason', 'no reason given')}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"scan {number} is {scan['activity']} after {timeout} s")
            time.sleep(_POLL)


class AsyncServer:
    """The same for asyncio; each call waits in a thread of the loop's own pool."""

    def __init__(self, address: str, token: str | None = None, timeout: float = 10) -> None:
        self.server = Server(address, token, timeout)

    async def status(self) -> Status:
        """As `Server.status`."""
        return await asyncio.to_thread(self.server.status)

    async def scans(self, state: State | None = None, limit: int | None = None) -> list[Scan]:
        """As `Server.scans`, all at once."""
        return await asyncio.to_thread(lambda: list(self.server.scans(state, limit)))

    async def queue(self) -> list[Scan]:
        """As `Server.queue`."""
        return await asyncio.to_thread(self.server.queue)

    async def scan(self, number: int) -> ScanDetails:
        """As `Server.scan`."""
        return await asyncio.to_thread(self.server.scan, number)

    async def add(self, *files: str, source: str | None = None, priority: int = 0) -> list[int]:
        """As `Server.add`."""
        return await asyncio.to_thread(lambda: self.server.add(*files, source=source, priority=priority))

    async def finalize(self, number: int) -> ScanDetails:
        """As `Server.finalize`."""
        return await asyncio.to_thread(self.server.finalize, number)

    async def abort(self, number: int) -> ScanDetails:
        """As `Server.abort`."""
        return await asyncio.to_thread(self.server.abort, number)

    async def remove(self, number: int) -> ScanDetails:
        """As `Server.remove`."""
        return await asyncio.to_thread(self.server.remove, number)

    async def retry(self, number: int) -> ScanDetails:
        """As `Server.retry`."""
        return await asyncio.to_thread(self.server.retry, number)

    async def move(self, number: int, priority: int) -> ScanDetails:
        """As `Server.move`."""
        return await asyncio.to_thread(self.server.move, number, priority)

    async def picture(self, number: int) -> bytes:
        """As `Server.picture`."""
        return await asyncio.to_thread(self.server.picture, number)

    async def log(self, number: int) -> str:
        """As `Server.log`."""
        return await asyncio.to_thread(self.server.log, number)

    async def metrics(self) -> str:
        """As `Server.metrics`."""
        return await asyncio.to_thread(self.server.metrics)

    async def events(self, after: int | None = None, timeout: float | None = None) -> AsyncIterator[Change]:
        """As `Server.events`; a task that is cancelled leaves no connection."""
        events = await asyncio.to_thread(self.server.events, after, timeout)
        try:
            while (change := await asyncio.to_thread(next, events, None)) is not None:
                yield change
        finally:
            events.close()

    async def wait(self, number: int, timeout: float) -> ScanDetails:
        """As `Server.wait`."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            try:
                return await asyncio.to_thread(self.server.wait, number, 0)
            except TimeoutError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise TimeoutError(f"{str(error).rsplit(' after ', 1)[0]} after {timeout} s") from None
            await asyncio.sleep(_POLL)
