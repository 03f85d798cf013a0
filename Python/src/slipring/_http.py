"""Requests to a page of Slipring, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from ._errors import SlipringError, Unavailable

_BODY_MAX = 64 << 20


class Answer(NamedTuple):
    """An answer whose body is to be read, and what it comes over."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse
    # The connection lets go of it where the other end closes it.
    socket: socket.socket


class Page:
    """An address with its token. Each request has a connection of its own, so threads may share a page."""

    def __init__(self, address: str, token: str | None = None, timeout: float = 10) -> None:
        url = urllib.parse.urlsplit(address if "//" in address else "//" + address)
        if url.scheme not in ("", "http", "https") or not url.hostname:
            raise ValueError(f"{address} is no address of a page")
        self._is_secure, self._host, self._port, self._timeout = url.scheme == "https", url.hostname, url.port, timeout
        self._path = url.path.rstrip("/")
        self.token = token or urllib.parse.parse_qs(url.query).get("token", [None])[0]

    def _open(
        self, method: str, path: str, timeout: float, body: Mapping[str, Any] | None = None
    ) -> Answer:
        make = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        connection = make(self._host, self._port, timeout=timeout)
        headers = {}
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}", "X-Slipring-Token": self.token}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._path + path, json.dumps(body) if body is not None else None, headers)
            own = connection.sock
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"nobody answers at {self._host}:{self._port}: {error}") from None
        if response.status >= 400:
            said = response.read(4000).decode(errors="replace").strip()
            connection.close()
            raise SlipringError(f"{method} {path}: {response.status} {said}", status=response.status)
        return Answer(connection, response, own)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        connection, response, _ = self._open(method, path, self._timeout, body)
        try:
            answer = response.read(_BODY_MAX + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{method} {path}: {error}") from None
        finally:
            connection.close()
        if len(answer) > _BODY_MAX:
            raise SlipringError(f"{method} {path}: an answer of more than {_BODY_MAX} bytes")
        return answer

    def _json(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        value = json.loads(self._request(method, path, body))
        if not isinstance(value, dict):
            raise SlipringError(f"{method} {path}: no object")
        return value
