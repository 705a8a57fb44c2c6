"""What the tests of deploy/ have in common: tools, rendered manifests, servers.

Each test is called as NAME_test.py BIN_DIR CHECKOUT. The tools are fetched once into
BIN_DIR/../deploy_tools, by the hashes in deploy.lock; where they cannot be had, the test
says so and is skipped.
"""

import functools
import os
import socket
import subprocess
import sys
import threading
import unittest

BIN, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
DEPLOY = os.path.join(ROOT, "deploy")
SITE = os.path.join(BIN, "../deploy_tools")

sys.path.insert(0, os.path.join(ROOT, "tests/testing"))
import programs  # pylint: disable=wrong-import-position
import wheels  # pylint: disable=wrong-import-position

missing = wheels.install(os.path.join(ROOT, "tests/deploy/deploy.lock"), SITE)
if missing:
    print("[  SKIPPED ] 1 test: the tools could not be fetched:", missing)
    print("0 passed, 0 failed")
    sys.exit(0)

import yaml  # pylint: disable=wrong-import-position


@functools.lru_cache(maxsize=None)
def render(folder):
    """The objects of a Kustomization."""
    run = subprocess.run([os.path.join(SITE, "bin/kubectl"), "kustomize", folder],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0 or run.stderr:  # warnings, too
        raise AssertionError(f"{folder}: {run.stderr}")
    return list(yaml.safe_load_all(run.stdout))


def of_kind(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def monitoring():
    return render(os.path.join(DEPLOY, "overlays/monitoring"))


def free_port():
    """A port that is free on every address."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]


def settings_file(folder):
    """The manifests' settings, as a file there."""
    data = next(o["data"] for o in of_kind(render(DEPLOY + "/base"), "ConfigMap")
                if "settings.toml" in o["data"])
    path = os.path.join(folder, "settings.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(data["settings.toml"])
    return path


def drain_in_background(stream):
    """Reads it to its end, or who writes it would wait for a reader."""
    threading.Thread(target=stream.read, daemon=True).start()


Server = functools.partial(programs.Server, BIN)


def client(*arguments, **options):
    return subprocess.Popen([os.path.join(BIN, "groupmamba-client"), *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run_tests(*cases):
    """Runs them and ends with the line that ./dev test counts."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(
        unittest.TestSuite(map(load, cases)))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)
