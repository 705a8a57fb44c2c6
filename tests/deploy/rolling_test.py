#!/usr/bin/python3
"""What clients see of a Deployment that rolls and that grows: three servers on three loopback
addresses, the manifests' settings, and our client balancing over them with retries.

Usage: rolling_test.py BIN_DIR CHECKOUT
"""

import json
import os
import re
import socket
import struct
import tempfile
import threading
import time
import unittest
import urllib.request

import support

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


def answered(server):
    """Requests that the server has answered."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as reply:
        page = reply.read().decode()
    return sum(float(value) for value in re.findall(
        r'(?m)^groupmamba_requests_total\{[^}]*code="OK"[^}]*\} (\S+)', page))


class Names(threading.Thread):
    """A name server, as a cluster's is for a headless Service: the name `pods.test` has the
    addresses that are in `addresses`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.addresses = []
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        while True:
            query, sender = self.socket.recvfrom(4096)
            self.asked += 1
            end = query.index(b"\0", 12) + 5  # the name, its type and class
            kind = struct.unpack(">H", query[end - 4:end - 2])[0]
            addresses = self.addresses if kind == 1 and query[13:17] == b"pods" else []
            reply = query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(addresses), 0, 0)
            reply += query[12:end]
            for address in addresses:
                reply += struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(address)
            self.socket.sendto(reply, sender)


class PodsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.settings = support.settings_file(self.folder.name)
        self.port = support.free_port()

    def start(self, address, *arguments):
        server = support.Server(
            "--config", self.settings, "--health", "127.0.0.1:0", "--engine", "fake:10",
            "--max-batch", "4", *arguments,
            listen=f"{address}:{self.port}")
        self.addCleanup(server.kill)
        return server

    def await_answers(self, load, count):
        """Waits, while the load goes on, until count() says so."""
        while not count():
            self.assertIsNone(load.poll(), "the load ended before")
            time.sleep(0.1)  # between questions to other processes; nothing is timed by it

    def load(self, target, *options):
        """Starts a load whose report is the standard output."""
        load = support.client("load", "--target", target, "--metrics", "none", "--rate", "100",
                              "--warmup", "0", "--synthetic", "32x32", "--raw", "--retries",
                              "--json", "-", *options)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        return load


class RollingTest(PodsTest):
    def test_a_rolling_restart_of_all_under_load_loses_no_request(self):
        servers = [self.start(address) for address in ADDRESSES]
        load = self.load(",".join(f"{a}:{self.port}" for a in ADDRESSES), "--duration", "45",
                         "--deadline-ms", "5000")
        self.await_answers(load, lambda: min(map(answered, servers)) >= 20)
        for i, address in enumerate(ADDRESSES):
            self.assertEqual(servers[i].stop(), 0)  # the manifests' whole drain
            servers[i] = self.start(address)
            self.await_answers(load, lambda: answered(servers[i]) >= 20)
        report = json.loads(load.communicate()[0])
        self.assertEqual(report["failed"], 0, report.get("codes"))
        self.assertEqual(report["dropped"], 0)
        self.assertGreater(report["ok"], 1000)


class ScalingTest(PodsTest):
    def test_new_servers_get_their_share_when_connections_have_had_their_age(self):
        names = Names()
        names.addresses = [ADDRESSES[0]]
        names.start()
        # The manifests' settings but for the age, which is minutes there.
        settings = ("--connection-age-s", "1", "--connection-grace-s", "1",
                    "--drain-linger-s", "0")
        servers = [self.start(ADDRESSES[0], *settings)]
        load = self.load(f"dns://127.0.0.1:{names.port}/pods.test:{self.port}",
                         "--duration", "90", "--deadline-ms", "5000")
        self.await_answers(load, lambda: answered(servers[0]) >= 20)
        servers += [self.start(address, *settings) for address in ADDRESSES[1:]]
        names.addresses = list(ADDRESSES)
        # The client asks for names again when a connection has had its age, but at most
        # every 30 s: gRPC's rule, which no setting of the server changes.
        self.await_answers(load, lambda: min(map(answered, servers)) >= 20)
        before = [answered(server) for server in servers]
        self.await_answers(load, lambda: answered(servers[0]) - before[0] >= 50)
        shares = [answered(server) - b for server, b in zip(servers, before)]
        for share in shares:
            self.assertGreater(share, 0.5 * sum(shares) / 3, shares)


support.run_tests(RollingTest, ScalingTest)
