"""Envoy as the edge overlay starts it, for edge_test.py."""

import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import support
from support import of_kind

# pylint: disable=wrong-import-position
import grpc
import yaml

ENVOY = os.path.join(support.SITE, "envoy/_bin/envoy")
EDGE = support.render(os.path.join(support.DEPLOY, "overlays/edge"))
CONFIG = next(o["data"] for o in of_kind(EDGE, "ConfigMap") if "envoy.yaml" in o["data"])
POD = next(o for o in of_kind(EDGE, "Deployment")
           if o["metadata"]["name"] == "groupmamba-edge")["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


class Secret:
    """A folder as the kubelet mounts a Secret of type kubernetes.io/tls: its files are links
    through `..data`, which is replaced at once."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        self.authority = os.path.join(folder, "tls.crt")
        os.mkdir(folder)
        self.renew()
        for name in ("tls.crt", "tls.key"):
            os.symlink("..data/" + name, os.path.join(folder, name))

    def renew(self):
        """A new certificate, its own authority."""
        self.count += 1
        data = os.path.join(self.folder, f"..{self.count}")
        os.mkdir(data)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", data + "/tls.key", "-out",
             data + "/tls.crt"], stderr=subprocess.DEVNULL, check=True)
        os.symlink(os.path.basename(data), self.folder + "/..next")
        os.rename(self.folder + "/..next", self.folder + "/..data")


class Edge:
    """Envoy as the Deployment starts it, but for addresses, ports and folders."""

    def __init__(self, folder, backends, **durations):
        self.tls = Secret(os.path.join(folder, "tls"))
        self.port, self.ready = support.free_port(), support.free_port()
        self.folder = folder
        text = {name: self.moved(data) for name, data in CONFIG.items()}
        self.config = yaml.safe_load(text["envoy.yaml"])
        for address, port in zip(self.addresses(), (self.port, self.ready)):
            address.update(address="127.0.0.1", port_value=port)
        # A headless name's addresses.
        endpoints = self.cluster()["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoints[:] = [{"endpoint": {"address": {"socket_address": {
            "address": host, "port_value": int(port)}}}}
            for host, _, port in (backend.rpartition(":") for backend in backends)]
        self.manager()["common_http_protocol_options"].update(durations)
        text["envoy.yaml"] = yaml.safe_dump(self.config)
        for name, data in text.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(data)
        self.command = [ENVOY] + [self.moved(a) for a in CONTAINER["args"]]
        self.process = None

    def moved(self, text):
        return text.replace("/etc/envoy", self.folder).replace("/secrets/tls", self.tls.folder)

    def cluster(self):
        return self.config["static_resources"]["clusters"][0]

    def manager(self):
        listener = self.config["static_resources"]["listeners"][0]
        return listener["filter_chains"][0]["filters"][0]["typed_config"]

    def addresses(self):
        return [listener["address"]["socket_address"]
                for listener in self.config["static_resources"]["listeners"]]

    def validate(self):
        """What it says of the manifest's configuration, byte by byte but for folders."""
        path = os.path.join(self.folder, "manifest.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.moved(CONFIG["envoy.yaml"]))
        return subprocess.run(
            [ENVOY, "--mode", "validate", "--config-path", path, "--log-level", "warning"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def start(self):
        self.process = subprocess.Popen(self.command + ["--log-level", "warning"])
        while not self.is_ready():
            assert self.process.poll() is None, "Envoy ended"
            time.sleep(0.05)  # between questions to another process
        return self

    def is_ready(self):
        path = CONTAINER["readinessProbe"]["httpGet"]["path"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ready}{path}", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, command, *arguments):
        return support.client(command, "--target", f"localhost:{self.port}", "--tls-ca",
                              self.tls.authority, *arguments)

    def load(self, *options, rate=100, duration=2):
        return self.client("load", "--metrics", "none", "--rate", str(rate), "--warmup", "0",
                           "--duration", str(duration), "--synthetic", "32x32", "--raw",
                           "--deadline-ms", "5000", "--json", "-", *options)

    def channel(self):
        with open(self.tls.authority, "rb") as file:
            return grpc.secure_channel(
                f"localhost:{self.port}", grpc.ssl_channel_credentials(file.read()),
                [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)])

    def certificate(self):
        """The one that a new connection gets."""
        return ssl.get_server_certificate(("127.0.0.1", self.port))
