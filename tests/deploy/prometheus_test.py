#!/usr/bin/python3
"""A real Prometheus with our rules scrapes two real servers under load: every recording rule,
every query of the dashboard and of the autoscalers comes out as numbers.

Usage: prometheus_test.py BIN_DIR CHECKOUT
"""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

import support

# pylint: disable=wrong-import-position
import yaml

# How long all queries may take to find data: rates need two scrapes, rules one more.
LIMIT_S = 60
VARIABLES = {"$__rate_interval": "10s", "$namespace": ".*", "$pod": ".*", "$model": ".*"}


def dashboard():
    """The dashboard as Grafana gets it."""
    for o in support.of_kind(support.monitoring(), "ConfigMap"):
        if "groupmamba.json" in o["data"]:
            assert o["metadata"]["labels"]["grafana_dashboard"] == "1"
            return json.loads(o["data"]["groupmamba.json"])
    raise AssertionError("there is no dashboard")


def panel_queries():
    """(panel's title, expression) of every query, those of GPUs left out, whose metrics are
    dcgm-exporter's."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            if "DCGM_" not in expression:
                yield panel["title"], expression


def rules(kind):
    """Name to expression, of the rules of a kind: record or alert."""
    spec = support.of_kind(support.monitoring(), "PrometheusRule")[0]["spec"]
    return {r[kind]: r["expr"] for g in spec["groups"] for r in g["rules"] if kind in r}


def recording_rules():
    return rules("record")


def autoscaler_queries():
    data = next(o["data"] for o in support.of_kind(support.monitoring(), "ConfigMap")
                if "config.yaml" in o["data"])
    rule = yaml.safe_load(data["config.yaml"])["rules"][0]
    yield rule["seriesQuery"]
    yield (rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
           .replace("<<.LabelMatchers>>", 'namespace="test",pod=~"0|1"'))
    path = os.path.join(support.DEPLOY, "components/autoscale-keda/scaledobject.yaml")
    with open(path, encoding="utf-8") as file:
        yield yaml.safe_load(file)["spec"]["triggers"][0]["metadata"]["query"]


def names_in(expression):
    return set(re.findall(r"[\w:]*(?:groupmamba_|process_)[\w:]*",
                          re.sub(r'"[^"]*"', "", expression)))


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
        return reply.read().decode()


def certificate(folder):
    """A key and a certificate for localhost, signed by itself: (certificate, key)."""
    paths = [os.path.join(folder, name) for name in ("server.pem", "server.key")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        check=True, stderr=subprocess.DEVNULL)
    return paths


class Prometheus:
    def __init__(self, folder, servers):
        spec = support.of_kind(support.monitoring(), "PrometheusRule")[0]["spec"]
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                  "rule_files": ["rules.yaml"],
                  "scrape_configs": [{"job_name": "groupmamba", "static_configs": [
                      {"targets": [server.metrics],
                       "labels": {"namespace": "test", "pod": str(i)}}
                      for i, server in enumerate(servers)]}]}
        for name, content in (("rules.yaml", spec), ("prometheus.yaml", config)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                yaml.safe_dump(content, file)
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=" + os.path.join(folder, "prometheus.yaml"),
             "--storage.tsdb.path=" + os.path.join(folder, "data"),
             "--web.listen-address=127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True)
        log = ""
        for line in self.process.stderr:
            log += line
            found = re.search(r"Listening on.*address=(\S+)", line)
            if found:
                self.address = found.group(1)
            if "Server is ready" in line:
                break
        else:
            raise AssertionError(log)
        support.drain_in_background(self.process.stderr)

    def query(self, expression):
        """The values that are numbers."""
        reply = json.loads(get(self.address, "/api/v1/query?" +
                               urllib.parse.urlencode({"query": expression})))
        values = [float(sample["value"][1]) for sample in reply["data"]["result"]]
        return [value for value in values if value == value]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class PrometheusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cert, key = certificate(cls.folder.name)
        servers = []
        for _ in range(2):
            server = support.Server("--engine", "fake:20", "--max-batch", "4",
                                    "--tls-cert", cert, "--tls-key", key)
            cls.addClassCleanup(server.kill)
            servers.append(server)
        cls.pages = [get(server.metrics, "/metrics") for server in servers]
        cls.prometheus = Prometheus(cls.folder.name, servers)
        cls.addClassCleanup(cls.prometheus.stop)
        # A little more than they can do, so that there are refusals, too.
        load = support.client(
            "load", "--target", ",".join(server.address for server in servers),
            "--tls-ca", cert, "--tls-server-name", "localhost", "--metrics", "none",
            "--rate", "420", "--duration", str(2 * LIMIT_S), "--warmup", "0",
            "--synthetic", "32x32", "--raw", "--deadline-ms", "200")
        cls.addClassCleanup(load.wait)
        cls.addClassCleanup(load.kill)

    def expect_numbers(self, queries):
        """Every query finds numbers before the time is up."""
        until = time.monotonic() + LIMIT_S
        missing = dict.fromkeys(queries)
        while missing and time.monotonic() < until:
            missing = {q: None for q in missing if not self.prometheus.query(q)}
            if missing:
                time.sleep(0.5)  # between questions to another process; nothing is timed by it
        self.assertEqual(list(missing), [])

    def test_every_recording_rule_comes_out_as_a_number(self):
        self.expect_numbers(recording_rules())

    def test_every_panel_of_the_dashboard_finds_data(self):
        self.expect_numbers(expression for _, expression in panel_queries())

    def test_the_autoscalers_queries_find_a_number(self):
        self.expect_numbers(autoscaler_queries())

    def test_every_query_asks_for_what_the_server_exports(self):
        exported = set(re.findall(r"(?m)^(\w+)", self.pages[0])) | set(recording_rules())
        for expression in [*(e for _, e in panel_queries()), *recording_rules().values(),
                           *rules("alert").values()]:
            with self.subTest(expression):
                self.assertEqual(names_in(expression) - exported, set())

    def test_what_the_rules_say_is_what_happened(self):
        self.expect_numbers(["namespace_model:groupmamba_requests:rate5m > 0"])
        fills = self.prometheus.query("pod:groupmamba_queue_fill:ratio")
        self.assertEqual(len(fills), 2)
        self.assertTrue(all(0 <= fill <= 1 for fill in fills))
        mean = self.prometheus.query("namespace_model:groupmamba_batch_size:mean5m")
        self.assertTrue(all(1 <= size <= 4 for size in mean), mean)
        self.assertEqual(self.prometheus.query('ALERTS{alertname="GroupmambaNoReadyPods"}'), [])


class DashboardTest(unittest.TestCase):
    def test_it_is_of_the_form_that_grafana_provisions(self):
        page = dashboard()
        self.assertIsNone(page["id"])
        self.assertEqual(page["uid"], "groupmamba-serve")
        self.assertEqual([v["name"] for v in page["templating"]["list"]],
                         ["datasource", "namespace", "pod", "model"])
        ids = [panel["id"] for panel in page["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in page["panels"]:
            if panel["type"] != "row":
                self.assertTrue(panel["description"], panel["title"])
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
                self.assertEqual(panel["datasource"]["uid"], "$datasource")

    def test_panels_do_not_lie_on_each_other(self):
        cells = set()
        for panel in dashboard()["panels"]:
            at = panel["gridPos"]
            mine = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                    for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(mine & cells, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            cells |= mine


support.run_tests(PrometheusTest, DashboardTest)
