#!/usr/bin/python3
"""What `cmake --install` puts in place for those without Kubernetes.

Usage: install_test.py BIN_DIR CHECKOUT
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support

PROGRAMS = ("groupmamba-server", "groupmamba-convert", "groupmamba-client")


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = folder.name
        subprocess.run(["cmake", "--install", os.path.dirname(support.BIN), "--prefix", cls.root],
                       stdout=subprocess.DEVNULL, check=True)

    def installed(self, pattern):
        found = glob.glob(os.path.join(self.root, pattern), recursive=True)
        self.assertEqual(len(found), 1, pattern)
        return found[0]

    def complete(self, *words):
        name = words[0]
        script = (f"source {self.installed('share/bash-completion/completions/' + name)}; "
                  'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  f"_{name.replace('-', '_')}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return subprocess.run(["bash", "-c", script, "bash", *words], stdout=subprocess.PIPE,
                              text=True, check=True).stdout.split()

    def test_programs_and_model_serve_from_there(self):
        for program in PROGRAMS:
            run = subprocess.run([self.installed("bin/" + program), "--version"],
                                 stdout=subprocess.PIPE, check=True)
            self.assertTrue(run.stdout)
        server = support.Server("--models", self.installed("share/groupmamba/models"))
        self.assertEqual(server.stop(), 0)

    def test_manual_pages_have_every_flag(self):
        for program in PROGRAMS:
            with open(self.installed(f"share/man/man1/{program}.1"), encoding="utf-8") as file:
                page = file.read().replace("\\-", "-")
            text = subprocess.run([self.installed("bin/" + program), "--help"],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            for flag in re.findall(r"(?m)^  (?:-\w,)?(--[a-z0-9-]+)", text):
                self.assertIn(flag, page)
        self.assertIn("--find-slo", page)  # of a subcommand

    def test_completion_knows_commands_and_their_flags(self):
        self.assertEqual(self.complete("groupmamba-client", "eval"), ["evaluate"])
        self.assertEqual(self.complete("groupmamba-client", "load", "--find"), ["--find-slo"])
        self.assertEqual(self.complete("groupmamba-client", "health", "--find"), [])
        self.assertEqual(self.complete("groupmamba-server", "--max-ba"), ["--max-batch"])

    def test_the_unit_is_one_that_systemd_takes(self):
        unit = self.installed("**/groupmamba-server.service")
        with open(unit, encoding="utf-8") as file:
            text = file.read()
        with open(self.installed("share/doc/*/settings.toml"), encoding="utf-8") as file:
            grace = float(re.search(r"drain-grace-s = (\S+)", file.read()).group(1))
        self.assertGreater(float(re.search(r"TimeoutStopSec=(\d+)", text).group(1)), grace)
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        # The program as it is installed here, and only what is said of this unit.
        here = os.path.join(self.root, "groupmamba-server.service")
        with open(here, "w", encoding="utf-8") as file:
            file.write(re.sub(r"ExecStart=\S+", "ExecStart=" +
                              self.installed("bin/groupmamba-server"), text)
                       .replace("Documentation=man:groupmamba-server(1)\n", ""))
        run = subprocess.run(["systemd-analyze", "verify", "--man=no", here],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False)
        self.assertEqual([line for line in run.stdout.splitlines() if "groupmamba" in line], [])


support.run_tests(InstallTest)
