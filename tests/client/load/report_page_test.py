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
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import programs  # pylint: disable=wrong-import-position

WIDTHS = {"desktop": 1200, "phone": 390}

# Tells the frame around the page how wide it is and how wide it wants to be.
PROBE = """<script>
addEventListener('load', () => setTimeout(() => parent.postMessage(
  [innerWidth, document.documentElement.scrollWidth,
   document.querySelectorAll('svg path').length], '*'), 300));
</script></body>"""

# A frame, since a headless window is never narrower than 500 pixels.
FRAME = """<!doctype html><html lang="en"><body style="margin:0">
<iframe src="%s" width="%d" height="%d" style="border:0"></iframe>
<script>addEventListener('message', (e) => document.body.append('size=' + e.data.join()));
</script></body></html>"""


def chromium(page, width, height, *options):
  """Opens a page; its final HTML and what the console said."""
  done = subprocess.run(
      ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
       "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=5000",
       f"--window-size={width},{height}", *options, page.as_uri()],
      capture_output=True, text=True, timeout=120, check=False)
  console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
  return done.stdout, console


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
  text = (folder / f"{name}.html").read_text()
  outside = re.findall(r"(?:src|href|url\()\W*(?:https?:)?//[^\"')\s]+", text)
  if outside:
    wrong.append(f"takes something from outside: {outside}")
  dom, console = chromium(folder / f"{name}.html", 1200, 1000, "--dump-dom")
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
  probed = folder / f"{name}-probed.html"
  probed.write_text(text.replace("</body>", PROBE))
  for kind, width in WIDTHS.items():
    height = 2600
    frame = folder / f"{name}-{kind}.html"
    frame.write_text(FRAME % (probed.name, width, height))
    dom, console = chromium(frame, max(width, 500), height, "--dump-dom")
    size = re.search(r"size=(\d+),(\d+),(\d+)", dom)
    if console:
      wrong.append(f"{kind}: the console says: {console}")
    if not size:
      wrong.append(f"{kind}: did not open")
    elif int(size[2]) > int(size[1]):
      wrong.append(f"{kind}: {size[2]} pixels wide on a screen of {size[1]}")
    elif int(size[3]) == 0 and report["kind"] == "run":
      wrong.append(f"{kind}: no line is drawn")
    if screenshots:
      chromium(frame, max(width, 500), height,
               f"--screenshot={screenshots / f'{name}-{kind}.png'}")
  return wrong


def main():
  bin_dir = pathlib.Path(sys.argv[1])
  screenshots = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
  if not shutil.which("chromium"):
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
