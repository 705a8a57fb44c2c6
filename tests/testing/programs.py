"""Our programs, as the tests in Python start them."""

import json
import os
import re
import subprocess
import threading


class Server:
    """groupmamba-server, on ports of its own unless `arguments` say otherwise. Made, it
    serves; AssertionError with its log where it ended before."""

    def __init__(self, binaries, *arguments, listen="127.0.0.1:0", environment=None):
        self.process = subprocess.Popen(
            [os.path.join(binaries, "groupmamba-server"), "--listen", listen,
             "--metrics", "127.0.0.1:0", *arguments],
            stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
        self.log = ""  # what it has said; whole after wait or stop
        for line in self.process.stderr:
            self.log += line
            if '"event":"serving"' in line or " serving " in line:
                self.address, self.metrics = re.search(
                    r'address"?[=:]"?([^\s",]+).*metrics"?[=:]"?([^\s",]+)', line).groups()
                break
        else:
            raise AssertionError(self.log)
        # To its end, or the server would wait for a reader.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line

    def wait(self, timeout=60):
        """Its exit code, when it has ended."""
        code = self.process.wait(timeout)
        self._reader.join()
        return code

    def stop(self):
        """Its exit code after SIGTERM."""
        self.process.terminate()
        return self.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def start_load(binaries, target, *options):
    """groupmamba-client load, whose report load_report reads."""
    return subprocess.Popen(
        [os.path.join(binaries, "groupmamba-client"), "load", "--target", target,
         "--json", "-", *options],
        stdout=subprocess.PIPE, text=True)


def load_report(client, timeout=None):
    return json.loads(client.communicate(timeout=timeout)[0])
