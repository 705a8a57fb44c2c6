"""Wheels from PyPI for tests, pinned by hash."""

import os
import shutil
import subprocess
import sys


def install(lock_file, site):
    """Installs what `lock_file` pins into the folder `site`, unless that is done, and makes
    it importable. Returns why it could not; None when it is there."""
    stamp = os.path.join(site, "lock")
    with open(lock_file, encoding="utf-8") as lock:
        wanted = lock.read()
    sys.path.insert(0, site)
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as installed:
            if installed.read() == wanted:
                return None
    shutil.rmtree(site, ignore_errors=True)  # what another lock's packages left
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
         "--disable-pip-version-check", "--root-user-action=ignore", "--only-binary=:all:",
         "--require-hashes", "--target", site, "-r", lock_file],
        stderr=subprocess.PIPE, text=True, check=False)
    if pip.returncode != 0:
        return pip.stderr.strip().splitlines()[-1] if pip.stderr else "pip failed"
    with open(stamp, "w", encoding="utf-8") as installed:
        installed.write(wanted)
    return None
