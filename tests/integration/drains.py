#!/usr/bin/env python3
"""SIGTERM under load, many times: nothing that was accepted may be lost.

  drains.py BIN_FOLDER TIMES [FIRST_SEED]

Each time a server with a fake engine gets open-loop Poisson arrivals at 80 % of what it can
answer, calls and stream items, and SIGTERM in the midst of it. Then

  - the server ends with code 0, well before its grace is over, and nobody was sent away who
    had been let in (its log: drained; its journal: who got UNAVAILABLE got it at once);
  - whoever the server says it has answered OK has an OK answer, and the other way round;
  - callers have seen OK, or UNAVAILABLE from a server that goes.

Ends with "N passed, M failed".
"""
import collections
import csv
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "testing"))
import programs  # pylint: disable=wrong-import-position

BATCH_MS, MAX_BATCH = 10, 4
CAPACITY = MAX_BATCH * 1000 / BATCH_MS
GRACE_S = 20
AT_ONCE_S = 0.25  # by the server's clock, on a machine that does other things, too


def start_server(binaries, folder):
    return programs.Server(
        binaries, "--engine", f"fake:{BATCH_MS}", "--max-batch", str(MAX_BATCH),
        "--journal", folder / "server.csv", "--drain-grace-s", str(GRACE_S))


def start_load(binaries, target, folder, name, seed, *options):
    return subprocess.Popen(
        [binaries / "groupmamba-client", "load", "--target", target, "--metrics", "none",
         "--rate", str(0.8 * CAPACITY / 2), "--synthetic", "32x32", "--raw", "--warmup", "0",
         "--duration", "2", "--seed", str(seed), "--journal", folder / f"{name}.csv", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def journal(path):
    with open(path, newline="") as file:
        return [line for line in csv.DictReader(file) if line["code"] != "DROPPED"]


def faults(server_code, log, served, called):
    """What is wrong with one drain, in sentences."""
    if server_code != 0 or not any(" drained" in line for line in log):
        yield f"the server ended with code {server_code}: {log[-1:]}"
    for line in served:
        if line["code"] == "UNAVAILABLE":
            took = float(line["done_s"]) - float(line["sent_s"])
            if took > AT_ONCE_S:
                yield f"{line['id']} was let in and sent away after {took:.3f} s"
        elif line["code"] != "OK":
            yield f"{line['id']} ended with {line['code']}"
    ok_served = {line["id"] for line in served if line["code"] == "OK"}
    ok_called = {line["id"] for line in called if line["code"] == "OK"}
    for lost in sorted(ok_served ^ ok_called):
        yield f"{lost} is OK to the {'server' if lost in ok_served else 'caller'} alone"
    for line in called:
        if line["code"] not in ("OK", "UNAVAILABLE"):
            yield f"{line['id']} is {line['code']} to its caller"


def drain_once(binaries, seed):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = start_server(binaries, folder)
        loads = [start_load(binaries, server.address, folder, "calls", seed),
                 start_load(binaries, server.address, folder, "items", seed, "--stream", "2")]
        try:
            # In the midst of the load, another moment each time.
            loads[0].wait(timeout=0.7 + random.Random(seed).random() * 0.8)
        except subprocess.TimeoutExpired:
            pass
        code = server.stop()
        for load in loads:
            load.wait()
        served = journal(folder / "server.csv")
        called = journal(folder / "calls.csv") + journal(folder / "items.csv")
        return list(faults(code, server.log.splitlines(), served, called)), collections.Counter(
            line["code"] for line in called)


def main():
    binaries = pathlib.Path(sys.argv[1]).absolute()
    times = int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    failed, totals = 0, collections.Counter()
    for seed in range(first, first + times):
        wrong, codes = drain_once(binaries, seed)
        totals += codes
        failed += bool(wrong)
        print(f"drain {seed}: {dict(codes)}", *wrong[:20], sep="\n  ", flush=True)
    print(f"all together: {dict(totals)}")
    print(f"{times - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
