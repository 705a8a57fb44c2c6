#!/usr/bin/python3
"""The edge overlay's Envoy, a real one, in front of our real servers.

Usage: edge_test.py BIN_DIR CHECKOUT
"""

import json
import os
import re
import ssl
import struct
import sys
import tempfile
import time
import unittest
import urllib.request

import support
from edge import CONFIG, CONTAINER, POD, Edge
from support import ROOT

# pylint: disable=wrong-import-position
import grpc
import yaml

sys.path.insert(0, os.path.join(ROOT, "tests/integration"))
import flood

SAMPLES = os.path.join(ROOT, "client/samples")


def leaves(node, path=()):
    """(path, value) of everything in a document that holds nothing else."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, path + (key,))
    else:
        yield path, node


def edge_before(*addresses, cleanup, **durations):
    """Envoy in front of servers there, which `cleanup` will end: a test's or its class's."""
    folder = tempfile.TemporaryDirectory()
    cleanup(folder.cleanup)
    edge = Edge(folder.name, addresses, **durations).start()
    cleanup(edge.kill)
    return edge


def server(*arguments, cleanup, engine="fake:10"):
    started = support.Server("--engine", engine, *arguments)
    cleanup(started.kill)
    return started


def abused(its_server):
    """Connections that its frame guard has ended."""
    with urllib.request.urlopen(f"http://{its_server.metrics}/metrics", timeout=10) as reply:
        return sum(float(count) for count in re.findall(
            r"(?m)^groupmamba_connections_abused_total\{\S+\} (\S+)", reply.read().decode()))


def classify_request():
    """A ClassifyRequest, serialised: a raw picture of 4x4 pixels."""
    raw = b"\x08\x04\x10\x04\x1a\x30" + bytes(48)
    return b"\x22" + bytes([len(raw)]) + raw


class ConfigurationTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.edge = Edge(self.folder.name, ["127.0.0.1:1"])

    def test_envoy_takes_it_and_finds_nothing_deprecated(self):
        run = self.edge.validate()
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertNotIn("eprecated", run.stdout)

    def test_what_is_tried_here_differs_in_addresses_and_folders_alone(self):
        manifest = dict(leaves(yaml.safe_load(CONFIG["envoy.yaml"])))
        here = dict(leaves(self.edge.config))
        self.assertEqual(set(manifest), set(here))
        changed = {path[-1] for path, value in manifest.items() if here[path] != value}
        self.assertEqual(changed, {"address", "port_value", "path"})

    def test_ports_and_probes_are_those_of_the_configuration(self):
        listeners = yaml.safe_load(CONFIG["envoy.yaml"])["static_resources"]["listeners"]
        ports = [listener["address"]["socket_address"]["port_value"] for listener in listeners]
        self.assertEqual(ports, [port["containerPort"] for port in CONTAINER["ports"]])
        for probe in ("readinessProbe", "livenessProbe"):
            action = next(value for value in CONTAINER[probe].values() if isinstance(value, dict))
            self.assertEqual(action["port"], CONTAINER["ports"][1]["name"])

    def test_a_pod_that_ends_has_lost_its_callers_before(self):
        """test_connections_that_are_too_old_fail_no_call is the other half."""
        def seconds(text):
            return int(text.removesuffix("s"))
        manager = self.edge.manager()
        calls = [route["route"]["max_stream_duration"]["grpc_timeout_header_max"]
                 for route in manager["route_config"]["virtual_hosts"][0]["routes"]]
        needed = (seconds(manager["common_http_protocol_options"]["max_connection_duration"]) +
                  seconds(manager["drain_timeout"]) + max(map(seconds, calls)))
        waits = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreaterEqual(waits, needed)
        self.assertGreater(POD["terminationGracePeriodSeconds"], waits)


class EdgeTest(unittest.TestCase):
    def expect_all_well(self, load, at_least=1):
        report = json.loads(load.communicate()[0])
        self.assertEqual((report["failed"], report["dropped"]), (0, 0), report.get("codes"))
        self.assertGreaterEqual(report["ok"], at_least)


class CallsTest(EdgeTest):
    @classmethod
    def setUpClass(cls):
        cleanup = cls.addClassCleanup
        cls.edge = edge_before(server(cleanup=cleanup).address, cleanup=cleanup)

    def test_our_client_classifies_through_tls(self):
        run = self.edge.client("classify", "--json", SAMPLES)
        answers = [json.loads(line) for line in run.communicate()[0].splitlines()]
        self.assertEqual(run.returncode, 0)
        self.assertEqual(len(answers), 12)
        self.assertTrue(all("predictions" in answer for answer in answers))

    def test_calls_streams_and_the_v2_protocol_go_through(self):
        for options in ((), ("--stream", "2"), ("--protocol", "v2"),
                        ("--protocol", "v2", "--stream", "2")):
            with self.subTest(options):
                self.expect_all_well(self.edge.load(*options, duration=1))

    def test_messages_of_30_mb_pass(self):
        load = self.edge.client(
            "load", "--metrics", "none", "--concurrency", "1", "--duration", "0.5", "--warmup",
            "0", "--synthetic", "3200x3200", "--raw", "--deadline-ms", "20000", "--json", "-")
        self.expect_all_well(load)

    def test_health_and_reflection_are_not_published(self):
        for method in ("/grpc.health.v1.Health/Check",
                       "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):
            with self.edge.channel() as channel, self.assertRaises(grpc.RpcError) as caught:
                channel.unary_unary(method)(b"", timeout=10)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_a_renewed_certificate_is_taken_and_old_connections_live_on(self):
        old = self.edge.certificate()
        with self.edge.channel() as channel:
            classify = channel.unary_unary("/groupmamba.v1.Classifier/Classify")
            classify(classify_request(), timeout=10)
            self.edge.tls.renew()
            deadline = time.monotonic() + 20
            while self.edge.certificate() == old:
                self.assertLess(time.monotonic(), deadline, "the old certificate stays")
            classify(classify_request(), timeout=10)
        with open(self.edge.tls.authority, encoding="ascii") as file:
            self.assertEqual(self.edge.certificate(), file.read())


class DeadlineTest(EdgeTest):
    def test_deadlines_go_through_and_when_to_come_again_comes_back(self):
        slow = server("--max-batch", "1", engine="fake:300", cleanup=self.addCleanup)
        edge = edge_before(slow.address, cleanup=self.addCleanup)
        with edge.channel() as channel:
            classify = channel.unary_unary("/groupmamba.v1.Classifier/Classify")
            classify(classify_request(), timeout=10)  # from here on the server knows its speed
            first = classify.future(classify_request(), timeout=10)
            with self.assertRaises(grpc.RpcError) as caught:
                # It would be late, and only a server that was told the deadline can say so.
                classify(classify_request(), timeout=0.25)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            trailers = dict(caught.exception.trailing_metadata())
            self.assertGreater(int(trailers["grpc-retry-pushback-ms"]), 0)
            first.result()


class RawClient:
    """A client of HTTP/2 that keeps to its rules of windows, so that nothing is wrong with it
    but what it means to do."""

    def __init__(self, edge):
        self.socket = flood.connect(edge.port, edge.tls.authority)
        self.socket.sendall(flood.OPENING)
        self.received = b""
        self.sent_away = False  # GOAWAY
        self.window = 65535
        self.windows = {}
        self.next = 1

    def read(self):
        """Takes note of windows. ConnectionError: it was ended."""
        self.socket.settimeout(0.01)
        try:
            while piece := self.socket.recv(1 << 16):
                self.received += piece
            raise ConnectionError
        except (TimeoutError, ssl.SSLWantReadError):
            pass
        self.socket.settimeout(5)
        while len(self.received) >= 9:
            size = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + size:
                break
            kind, stream = self.received[3], int.from_bytes(self.received[5:9], "big")
            payload, self.received = self.received[9:9 + size], self.received[9 + size:]
            if kind == 8 and stream == 0:
                self.window += int.from_bytes(payload, "big")
            elif kind == 8 and stream in self.windows:
                self.windows[stream] += int.from_bytes(payload, "big")
            elif kind == 3:
                self.windows.pop(stream, None)
            elif kind == 7:
                self.sent_away = True

    def call(self, message_bytes=None):
        """Begins a call, of a message of so many bytes."""
        stream, self.next = self.next, self.next + 2
        self.socket.sendall(flood.frame(1, 4, stream, flood.HEADERS))
        self.windows[stream] = 65535
        if message_bytes:
            self.send(stream, b"\0" + struct.pack(">I", message_bytes))
        return stream

    def send(self, stream, data):
        self.socket.sendall(flood.frame(0, 0, stream, data))
        self.windows[stream] -= len(data)
        self.window -= len(data)

    def send_what_fits(self):
        sent = 0
        for stream, window in list(self.windows.items()):
            size = min(window, self.window, 16000)
            if size > 0:
                self.send(stream, bytes(size))
                sent += size
        return sent

    def cancel(self, stream):
        self.socket.sendall(flood.frame(3, 0, stream, struct.pack(">I", 8)))
        self.windows.pop(stream)


class FloodTest(EdgeTest):
    @classmethod
    def setUpClass(cls):
        cls.server = server("--upload-mb", "8", cleanup=cls.addClassCleanup)
        cls.edge = edge_before(cls.server.address, cleanup=cls.addClassCleanup)

    def setUp(self):
        self.honest = self.edge.load("--connections", "4", duration=3)
        self.addCleanup(self.honest.kill)

    def is_ended(self, kind):
        """Whether a flood of flood.py's finds its connection ended."""
        with flood.connect(self.edge.port, self.edge.tls.authority) as s:
            s.settimeout(10)
            s.sendall(flood.OPENING)
            try:
                for piece in flood.chunks(kind):
                    s.sendall(piece)
            except TimeoutError:
                return False
            except OSError:
                return True
        raise AssertionError("a flood has no end")

    def test_envoy_ends_floods_of_frames(self):
        for kind in ("reset", "ping", "settings", "empty", "continuation"):
            with self.subTest(kind):
                self.assertTrue(self.is_ended(kind))
        self.expect_all_well(self.honest, at_least=200)
        self.assertEqual(abused(self.server), 0)

    def test_who_cancels_in_great_number_ends_nobody_elses_calls(self):
        """Slowly enough that the servers see each call, on one connection after another, as
        many on each as Envoy allows."""
        while self.honest.poll() is None:
            attacker = RawClient(self.edge)
            try:
                for _ in range(4):
                    calls = [attacker.call() for _ in range(60)]
                    attacker.read()
                    for call in calls:
                        attacker.cancel(call)
            except OSError:
                pass
        self.expect_all_well(self.honest, at_least=200)

    def test_who_stalls_uploads_ends_nobody_elses_calls(self):
        attacker = RawClient(self.edge)
        for _ in range(16):
            attacker.call(4 << 20)
        sent = 0
        while self.honest.poll() is None and sent < 32 << 20:
            attacker.read()
            if not attacker.windows:
                break  # its calls have ended
            sent += attacker.send_what_fits()
        self.assertGreater(abused(self.server), 0)
        self.expect_all_well(self.honest, at_least=200)


class EndTest(EdgeTest):
    """The callers do not retry."""

    def test_connections_that_are_too_old_fail_no_call(self):
        its_server = server(cleanup=self.addCleanup)
        edge = edge_before(its_server.address, cleanup=self.addCleanup,
                           max_connection_duration="1s")
        loads = [edge.load(*options, duration=4) for options in ((), ("--stream", "2"))]
        silent = RawClient(edge)
        while loads[0].poll() is None:
            silent.read()
        self.assertTrue(silent.sent_away)  # so that the loads were, too
        for load in loads:
            self.expect_all_well(load)

    def test_servers_that_are_gone_get_no_call(self):
        """Though they are most."""
        here = server(cleanup=self.addCleanup)
        gone = [f"127.0.0.1:{support.free_port()}" for _ in range(3)]
        edge = edge_before(here.address, *gone, cleanup=self.addCleanup)
        self.expect_all_well(edge.load("--connections", "4"))

    def test_sigterm_of_a_server_fails_no_call(self):
        """The manifests' whole drain."""
        with tempfile.TemporaryDirectory() as folder:
            settings = support.settings_file(folder)
            servers = [server("--config", settings, "--health", "127.0.0.1:0",
                              cleanup=self.addCleanup) for _ in range(2)]
            edge = edge_before(*(s.address for s in servers), cleanup=self.addCleanup)
            load = edge.load("--connections", "4", duration=12)
            time.sleep(1)  # well into the load; nothing is timed by it
            self.assertEqual(servers[0].stop(), 0)
            self.assertIsNone(load.poll(), "the load ended before")
            self.expect_all_well(load)


support.run_tests(ConfigurationTest, CallsTest, DeadlineTest, FloodTest, EndTest)
