#!/usr/bin/env python3
"""Whether `load` keeps its promises against real servers on this machine.

Usage: check_load.py BIN_DIR [--short] [CHECK...]

--short takes seconds, and does without what needs a machine to itself. CHECK is
the name of a function below; all of them by default. The last line is "N passed,
N failed".
"""

import pathlib
import signal
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import programs  # pylint: disable=wrong-import-position

BIN = pathlib.Path(sys.argv[1])
SHORT = "--short" in sys.argv[2:]
NAMES = [name for name in sys.argv[2:] if name != "--short"]


class Server(programs.Server):
  """One with a fake engine of `ms` a batch."""

  def __init__(self, ms, *options):
    super().__init__(BIN, "--engine", f"fake:{ms}", *options)

  def answered(self):
    page = urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5)
    return sum(float(line.split()[-1]) for line in page.read().decode().splitlines()
               if line.startswith("groupmamba_requests_total") and 'code="OK"' in line)


def start_load(target, *options):
  return programs.start_load(BIN, target, "--synthetic", "64x64", *options)


def finish(client):
  return programs.load_report(client, timeout=900)


def load(target, *options):
  return finish(start_load(target, *options))


def null_server():
  """The rate is held with a p99 send lag of 2 ms, or the run is called invalid."""
  rate, seconds = (1000, 3) if SHORT else (3000, 60)
  with Server(0) as server:
    report = load(server.address, "--rate", str(rate), "--duration", str(seconds))
  lag = report["send_lag_ms"]["p99"]
  achieved = report["achieved_per_s"] / report["offered_per_s"]
  print(f"  {report['offered_per_s']}/s offered, {100 * achieved:.2f} % achieved, "
        f"send lag p99 {lag} ms, valid: {report['valid']}")
  if SHORT:  # the machine may be busy: then the run must say so
    return report["valid"] == (lag <= 2.001)
  return report["valid"] and lag <= 2 and abs(achieved - 1) <= 0.01


def too_high_a_rate():
  """A rate beyond this machine makes the run invalid, with the reason."""
  with Server(0) as server:
    report = load(server.address, "--rate", "200000", "--duration", "2",
                  "--max-in-flight", "100000")
  print(f"  {report['invalid_because']}")
  return not report["valid"] and len(report["invalid_because"]) > 0


def stopped_server():
  """A stall of 1 s in 20 s shows in the p99 from planned sends, and not in that
  of a naive closed loop."""

  def stall(*options):
    with Server(1) as server:
      client = start_load(server.address, "--duration", "20", "--deadline-ms",
                          "10000", *options)
      time.sleep(10)
      server.process.send_signal(signal.SIGSTOP)
      time.sleep(1)
      server.process.send_signal(signal.SIGCONT)
      return finish(client)

  opened = stall("--rate", "200")
  closed = stall("--concurrency", "1")
  print(f"  p99 from planned sends {opened['latency_ms']['p99']} ms; naive closed "
        f"loop: p99 {closed['service_ms']['p99']} ms, max {closed['service_ms']['max']} ms")
  return (opened["latency_ms"]["p99"] >= 700 and closed["service_ms"]["p99"] < 100
          and closed["service_ms"]["max"] >= 900)


def receipts():
  """The receipts' stages explain 95 % of the service time of a loaded run."""
  with Server(20) as server:
    report = load(server.address, "--metrics", server.metrics, "--rate", "250",
                  "--duration", "3" if SHORT else "20")
  print(f"  {100 * report['explained_ratio']:.1f} % of "
        f"{report['service_ms']['mean']} ms")
  return report["explained_ratio"] >= 0.95


def search():
  """Three searches for the highest rate agree within 5 %."""
  rates = []
  with Server(10) as server:
    for seed in (100, 200, 300):
      found = load(server.address, "--find-slo", "p99=50ms", "--duration", "5",
                   "--seed", str(seed))["search"]
      rates.append(found["rate_per_s"])
      print(f"  {found['rate_per_s']}/s ({found['low_per_s']} to "
            f"{found['high_per_s']}), {len(found['trials'])} trials")
  return min(rates) > 0 and max(rates) <= 1.05 * min(rates)


def killed_server():
  """With retries no call fails when one of three servers is killed."""
  with Server(5) as a, Server(5) as b, Server(5) as c:
    client = start_load(f"{a.address},{b.address},{c.address}", "--retries",
                        "--rate", "300", "--duration", "4" if SHORT else "20",
                        "--deadline-ms", "10000")
    while b.answered() < 100:
      time.sleep(0.05)
    b.process.kill()
    report = finish(client)
    shares = (a.answered(), c.answered())
  print(f"  {report['ok']} OK, {report['failed']} failed; "
        f"the other two answered {shares[0]:.0f} and {shares[1]:.0f}")
  return report["failed"] == 0 and report["dropped"] == 0 and min(shares) > 100


def full_servers():
  """With retries calls wait out what full servers push back."""
  with Server(20, "--queue-capacity", "16") as server:
    report = load(server.address, "--retries", "--concurrency", "21",
                  "--duration", "3", "--deadline-ms", "10000")
    page = load(server.address, "--concurrency", "24", "--duration", "1")
  print(f"  with retries {report['failed']} of {report['planned']} failed, "
        f"without {page['failed']} of {page['planned']}")
  return report["failed"] <= 0.01 * report["planned"] and page["failed"] > 0


def main():
  checks = [null_server, too_high_a_rate, receipts, killed_server, full_servers]
  if not SHORT:
    checks += [stopped_server, search]
  checks = [check for check in checks if not NAMES or check.__name__ in NAMES]
  failed = 0
  for check in checks:
    print(" ".join(check.__doc__.split()), flush=True)
    good = check()
    failed += not good
    if not good:
      print(f"check_load.py: {check.__name__}: Failure", flush=True)
  print(f"{len(checks) - failed} passed, {failed} failed")
  return failed > 0


if __name__ == "__main__":
  sys.exit(main())
