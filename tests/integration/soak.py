#!/usr/bin/env python3
"""A server under mixed traffic at 70 % of its capacity: its memory and file
descriptors stay flat, and no good call fails.

Usage: soak.py BIN_DIR PICTURES MINUTES SERVER_OPTION...

The traffic: pictures over our API and over the V2 protocol, in Poisson arrivals;
beside them files that are no pictures, and calls whose deadline is too short. A line
a minute; the last line is "N passed, N failed". The slope of the memory is judged
after a warm-up of a third of the time (slots and threads come with the first bursts, and
stay), and only in runs of 30 minutes and more: in a short one the allocator's steps are
all there is.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "testing"))
import programs  # pylint: disable=wrong-import-position

BIN = pathlib.Path(sys.argv[1])
PICTURES = sys.argv[2]
MINUTES = float(sys.argv[3])
SERVER_OPTIONS = sys.argv[4:]

LOAD = 0.7  # of the capacity
MAX_SLOPE_MB_PER_H = 1.0
MAX_EXTRA_DESCRIPTORS = 8  # connections that a scrape or a reconnect has open


def start_load(target, *options):
  return programs.start_load(BIN, target, "--metrics", "none", *options)


def first_model(target):
  models = subprocess.run(
      [BIN / "groupmamba-client", "models", "--target", target, "--json"],
      check=True, capture_output=True, text=True).stdout
  return json.loads(models.splitlines()[0])["name"]


class Sample:
  """What the process holds at a time."""

  def __init__(self, pid, at):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    self.at = at
    self.rss_mb = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    self.threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
    self.descriptors = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def slope_per_hour(samples):
  """Of the line of least squares through the memory."""
  mean_t = sum(s.at for s in samples) / len(samples)
  mean_m = sum(s.rss_mb for s in samples) / len(samples)
  above = sum((s.at - mean_t) * (s.rss_mb - mean_m) for s in samples)
  below = sum((s.at - mean_t) ** 2 for s in samples)
  return 3600 * above / below


def watch(pid, loads):
  """Samples until the loads end."""
  samples = []
  begin = time.monotonic()
  next_line = 0
  while any(load.poll() is None for load in loads):
    sample = Sample(pid, time.monotonic() - begin)
    samples.append(sample)
    if sample.at >= next_line:
      next_line += 60
      print(f"  {sample.at / 60:5.1f} min: {sample.rss_mb:.1f} MB, "
            f"{sample.descriptors} descriptors, {sample.threads} threads", flush=True)
    time.sleep(1)
  return samples


def main():
  with programs.Server(BIN, *SERVER_OPTIONS) as server:
    address = server.address
    with tempfile.TemporaryDirectory() as folder:
      no_picture = pathlib.Path(folder) / "no-picture.jpg"
      no_picture.write_bytes(b"\xff\xd8\xff" + b"not a picture" * 100)
      capacity = programs.load_report(start_load(
          address, "--concurrency", "16", "--duration", str(min(10, 10 * MINUTES)),
          "--deadline-ms", "60000", PICTURES))["achieved_per_s"]
      rate = LOAD * capacity
      print(f"  capacity {capacity:.1f}/s, so {rate:.1f}/s for {MINUTES} minutes",
            flush=True)
      seconds = str(60 * MINUTES)
      encoded = first_model(address) + "+encoded"  # the V2 name that takes files
      common = ["--duration", seconds, "--deadline-ms", "10000"]
      good = {
          "our API": start_load(address, "--rate", str(0.6 * rate), *common, PICTURES),
          "V2": start_load(address, "--rate", str(0.4 * rate), "--protocol", "v2",
                           "--model", encoded, *common, PICTURES),
      }
      bad = {
          "no pictures": start_load(address, "--rate", str(max(1, 0.05 * rate)),
                                    *common, str(no_picture)),
          "too late": start_load(address, "--rate", str(max(1, 0.05 * rate)),
                                 "--duration", seconds, "--deadline-ms", "1", PICTURES),
      }
      samples = watch(server.process.pid, [*good.values(), *bad.values()])
      good = {name: programs.load_report(load) for name, load in good.items()}
      bad = {name: programs.load_report(load) for name, load in bad.items()}
    return judge(server, samples, good, bad)


def judge(server, samples, good, bad):
  results = []

  def expect(rule, holds):
    results.append(holds)
    print(f"  {'ok' if holds else 'FAILED'}: {rule}")

  for name, run in good.items():
    failed = run["planned"] - run["ok"]
    expect(f"{name}: {run['ok']} answers, {failed} failures, p99 "
           f"{run['latency_ms']['p99']} ms", failed == 0 and run["ok"] > 0)
  for name, run in bad.items():
    expect(f"{name}: {run['planned']} calls, codes {run['codes']}",
           run["planned"] > 0 and "INTERNAL" not in run["codes"]
           and "UNAVAILABLE" not in run["codes"])
  settled = [s for s in samples if s.at >= samples[-1].at / 3]
  slope = slope_per_hour(settled)
  judged = MINUTES >= 30
  expect(f"memory {settled[0].rss_mb:.1f} to {settled[-1].rss_mb:.1f} MB, slope "
         f"{slope:+.2f} MB/h{'' if judged else ' (too short a run to judge)'}",
         slope < MAX_SLOPE_MB_PER_H or not judged)
  descriptors = [s.descriptors for s in settled]
  expect(f"descriptors {min(descriptors)} to {max(descriptors)}",
         max(descriptors) - min(descriptors) <= MAX_EXTRA_DESCRIPTORS)
  threads = [s.threads for s in settled]
  expect(f"threads {min(threads)} to {max(threads)}",
         max(threads) - min(threads) <= MAX_EXTRA_DESCRIPTORS)
  expect("the server still runs", server.process.poll() is None)
  print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
  return 0 if all(results) else 1


sys.exit(main())
