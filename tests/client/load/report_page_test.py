#!/usr/bin/env python3
"""The pages that `load --html` writes, in headless Chromium, at the width of a
desktop and of a phone: no error on the console, nothing wider than the screen,
nothing from outside, and the figures those of the JSON.

Usage: report_page_test.py BIN_DIR [SCREENSHOT_DIR]
The last line is "N passed, N failed".
"""

import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import pages  # pylint: disable=wrong-import-position
import programs  # pylint: disable=wrong-import-position

class Figures(html.parser.HTMLParser):
  """The elements that say where in the JSON their figure is from."""

  def __init__(self):
    super().__init__()
    self.found = []

  def handle_starttag(self, tag, attrs):
    attributes = dict(attrs)
    if "data-path" in attributes:
      self.found.append([attributes["data-path"], attributes["data-value"], ""])
      self.open = tag

  def handle_data(self, data):
    if self.found and self.found[-1][2] == "":
      self.found[-1][2] = data


def at(report, path):
  value = report
  for key in re.split(r"\.(?!9)", path):
    value = value[key]
  return value


def check_page(folder, name, screenshots):
  """What is wrong with the page NAME.html beside NAME.json."""
  wrong = []
  report = json.loads((folder / f"{name}.json").read_text())
  dom, console = pages.chromium(folder / f"{name}.html", 1200, 1000, "--dump-dom")
  if console:
    wrong.append(f"the console says: {console}")
  figures = Figures()
  figures.feed(dom)
  if report["kind"] == "run" and len(figures.found) < 15:
    wrong.append(f"only {len(figures.found)} figures are marked")
  for path, value, shown in figures.found:
    expected = at(report, path)
    if float(value) != expected:
      wrong.append(f"{path} is {value}, not {expected}")
    # Whole, or to three digits.
    if abs(float(shown.replace(",", "")) - expected) > 0.006 * abs(expected) + 0.005:
      wrong.append(f"{path} is shown as {shown}, not {expected}")
  lines = 1 if report["kind"] == "run" else 0
  return wrong + pages.problems(folder / f"{name}.html", lines, screenshots)


def main():
  bin_dir = pathlib.Path(sys.argv[1])
  screenshots = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
  if pages.missing():
    print("skipped: chromium is not installed (cmake/packages.txt)")
    print("0 passed, 0 failed")
    return 0
  runs = {
      "run": ["--rate", "400", "--duration", "4", "--slo", "p99=50ms"],
      "closed": ["--concurrency", "4", "--duration", "1"],
      "sweep": ["--sweep", "rate=100,300,900", "--duration", "1"],
      "search": ["--find-slo", "p99=20ms", "--duration", "0.5"],
  }
  failed = 0
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    server = programs.Server(bin_dir, "--engine", "fake:4")
    try:
      for name, load in runs.items():
        done = subprocess.run(
            [bin_dir / "groupmamba-client", "load", "--target",
             server.address, "--metrics", server.metrics, "--warmup", "0.2",
             "--synthetic", "64x64",
             "--json", folder / f"{name}.json", "--html",
             folder / f"{name}.html", *load],
            stdout=subprocess.DEVNULL, check=False)
        wrong = ([f"load ended with {done.returncode}"]
                 if done.returncode not in (0, 1, 3) else
                 check_page(folder, name, screenshots))
        failed += bool(wrong)
        for what in wrong:
          print(f"report_page_test.py: {name}: Failure\n  {what}")
    finally:
      server.stop()
  print(f"{len(runs) - failed} passed, {failed} failed")
  return failed > 0


if __name__ == "__main__":
  sys.exit(main())
