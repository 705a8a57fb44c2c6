#!/usr/bin/env python3
"""The page of `groupmamba-train --plot`, in headless Chromium.

Usage: curves_page_test.py BIN_DIR [SCREENSHOT_DIR]
The last line is "N passed, N failed".
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import pages  # pylint: disable=wrong-import-position
import training  # pylint: disable=wrong-import-position


def main():
    binaries = sys.argv[1]
    screenshots = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    if pages.missing():
        print("skipped: chromium is not installed (cmake/packages.txt)")
        print("0 passed, 0 failed")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        training.write_pictures(temporary, 130)
        runs = [str(folder / name) for name in ("one", "<b>two</b>")]
        for run, rate in zip(runs, ("1e-3", "2e-3")):
            options = ("--epochs", "2", "--learning-rate", rate)
            assert training.Run(binaries, temporary, run, *options).wait() == 0
        for name, plotted, lines in (("alone", runs[:1], 7), ("both", runs, 14)):
            page = folder / f"{name}.html"
            subprocess.run([os.path.join(binaries, "groupmamba-train"), "--plot", *plotted,
                            "--html", page], check=True, stderr=subprocess.DEVNULL)
            wrong = pages.problems(page, lines, screenshots)
            failed += bool(wrong)
            for what in wrong:
                print(f"curves_page_test.py: {name}: Failure\n  {what}")
    print(f"{2 - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
