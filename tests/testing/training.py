"""groupmamba-train on a small model and pictures, as the tests in Python run it."""

import array
import ctypes
import gzip
import hashlib
import json
import os
import random
import struct
import subprocess
import threading

SMALL = ("--stem-width 8 --widths 8,8,16,16 --depths 1,1,1,1 --mlp-ratios 2,2,2,2 --side 32 "
         "--batch 16 --threads 1 --log-steps 1").split()


def write_pictures(folder, count):
    """The four files of a Fashion-MNIST of `count` pictures in each split, whose classes a
    bright bar tells apart."""
    rng = random.Random(7)
    pixels, labels = bytearray(), bytes(i % 10 for i in range(count))
    for label in labels:
        picture = bytearray(rng.randrange(90) for _ in range(28 * 28))
        picture[56 * label:56 * (label + 1)] = b"\xf0" * 56
        pixels += picture
    for split in ("train", "t10k"):
        for name, shape, values in (("images-idx3", (count, 28, 28), pixels),
                                    ("labels-idx1", (count,), labels)):
            header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
            with gzip.open(os.path.join(folder, f"{split}-{name}-ubyte.gz"), "wb") as file:
                file.write(header + values)


def arguments(*options):
    """SMALL's and these; of a flag that comes twice the last."""
    values = {}
    for word in (*SMALL, *options):
        if word.startswith("--"):
            flag = word
            values[flag] = [flag]
        else:
            values[flag].append(word)
    return [word for words in values.values() for word in words]


class Run:
    """One sitting of groupmamba-train. `stderr` is whole after wait."""

    def __init__(self, binaries, data, out, *options, environment=None, prepare=None):
        self.process = subprocess.Popen(
            [os.path.join(binaries, "groupmamba-train"), "--data", data, "--out", out,
             *arguments(*options)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
            env={**os.environ, **(environment or {})})
        self.stderr = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.stderr += line

    def wait(self, timeout=120):
        """Its exit code; minus the signal that ended it."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join()
        return code

    def children(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]


class Watch:
    """Waits for what happens to files in a folder (inotify)."""

    MODIFIED, MOVED_TO, CREATED = 0x2, 0x80, 0x100

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init()
        events = self.MODIFIED | self.MOVED_TO | self.CREATED
        if libc.inotify_add_watch(self._fd, os.fsencode(folder), events) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        self._seen = []

    def next(self):
        """The next event: what, and the file's name."""
        while not self._seen:
            data = os.read(self._fd, 1 << 16)
            while data:
                _, mask, _, size = struct.unpack_from("iIII", data)
                self._seen.append((mask, data[16:16 + size].rstrip(b"\0").decode()))
                data = data[16 + size:]
        return self._seen.pop(0)

    def wait_for(self, event, name):
        while self.next() != (event, name):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._fd)


def log(out, event):
    """The log's lines of that kind."""
    with open(os.path.join(out, "train.log.jsonl"), encoding="ascii") as file:
        lines = [json.loads(line) for line in file]
    return [line for line in lines if line["event"] == event]


def losses(out):
    return [(line["step"], line["loss"], line["smoothed_loss"], line["gradient_norm"])
            for line in log(out, "step")]


def weights_hash(out):
    with open(os.path.join(out, "model.safetensors"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def weights(out):
    """The weights by name, flat."""
    with open(os.path.join(out, "model.safetensors"), "rb") as file:
        data = file.read()
    size = struct.unpack_from("<Q", data)[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array("f", data[8 + size + begin:8 + size + end])
    return tensors
