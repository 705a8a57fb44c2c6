"""Our pages, in headless Chromium: at the width of a desktop and of a phone."""

import re
import shutil
import subprocess

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


def missing():
    return not shutil.which("chromium")


def chromium(page, width, height, *options):
    """Opens a page; its final HTML and what the console said."""
    done = subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
         "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=5000",
         f"--window-size={width},{height}", *options, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, console


def problems(page, least_lines, screenshots=None):
    """What is wrong with a page, a Path, wherever it is shown: something from outside, errors
    on the console, wider than the screen, fewer lines drawn than expected."""
    wrong = []
    text = page.read_text()
    outside = re.findall(r"(?:src|href|url\()\W*(?:https?:)?//[^\"')\s]+", text)
    if outside:
        wrong.append(f"takes something from outside: {outside}")
    probed = page.with_name(f"{page.stem}-probed.html")
    probed.write_text(text.replace("</body>", PROBE))
    for kind, width in WIDTHS.items():
        height = 2600
        frame = page.with_name(f"{page.stem}-{kind}.html")
        frame.write_text(FRAME % (probed.name, width, height))
        dom, console = chromium(frame, max(width, 500), height, "--dump-dom")
        size = re.search(r"size=(\d+),(\d+),(\d+)", dom)
        if console:
            wrong.append(f"{kind}: the console says: {console}")
        if not size:
            wrong.append(f"{kind}: did not open")
        elif int(size[2]) > int(size[1]):
            wrong.append(f"{kind}: {size[2]} pixels wide on a screen of {size[1]}")
        elif int(size[3]) < least_lines:
            wrong.append(f"{kind}: only {size[3]} lines are drawn")
        if screenshots:
            chromium(frame, max(width, 500), height,
                     f"--screenshot={screenshots / f'{page.stem}-{kind}.png'}")
    return wrong
