"""Asks a server over TLS, as somebody else's client: ask_https.py PORT CERTIFICATE PATH... prints JSON.

Several requests go over one connection; `events` of the last path are read for a moment. OLD as the certificate tries
TLS 1.1, and NOISE sends bytes that are no record once the keys are agreed on.
"""

import hashlib
import http.client
import json
import os
import socket
import ssl
import sys
import warnings

port, certificate, paths = int(sys.argv[1]), sys.argv[2], sys.argv[3:]


def context(path):
    trusted = ssl.create_default_context(cafile=path)
    trusted.check_hostname = True
    return trusted


def old():
    warnings.simplefilter("ignore")
    tried = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tried.check_hostname, tried.verify_mode = False, ssl.CERT_NONE
    tried.set_ciphers("ALL:@SECLEVEL=0")
    tried.minimum_version = tried.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        tried.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))
    except (ssl.SSLError, ConnectionError) as error:
        return {"refused": type(error).__name__}
    return {"refused": None}


def noise(path):
    plain = socket.create_connection(("127.0.0.1", port), 30)
    encrypted = context(path).wrap_socket(plain, server_hostname="127.0.0.1")
    raw = socket.socket(fileno=os.dup(encrypted.fileno()))
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(range(32)))
    raw.settimeout(30)
    while raw.recv(4096):
        pass
    return {"ended": True}


def ask():
    trusted = context(certificate)
    link = http.client.HTTPSConnection("127.0.0.1", port, context=trusted, timeout=30)
    link.connect()
    version = link.sock.version()
    answers = []
    for path in paths:
        link.request("GET", path, headers={"Connection": "keep-alive"})
        answer = link.getresponse()
        if answer.getheader("Content-Type") == "text/event-stream":
            answers.append({"status": answer.status, "event": answer.readline().decode()})
            break
        body = answer.read()
        answers.append({"status": answer.status, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    return {"answers": answers, "version": version}


if certificate == "OLD":
    print(json.dumps(old()))
elif paths == ["NOISE"]:
    print(json.dumps(noise(certificate)))
else:
    print(json.dumps(ask()))
