#!/usr/bin/env python3
"""The container image: what is in it, and that it serves as it is meant to be run, as an
ordinary user without a way up and with a root that is read-only.

Usage, as root: image_test.py MOUNTED_IMAGE INSPECTED.json CHECKOUT   (./dev image-test)
"""

import glob
import json
import os
import re
import stat
import subprocess
import sys
import time
import unittest

IMAGE, CONFIG, ROOT = sys.argv[1:4]
SAMPLES = sorted(glob.glob(os.path.join(ROOT, "client/samples/*.png")))
LIMIT_MB = 700


def config():
    with open(CONFIG, encoding="utf-8") as file:
        return json.load(file)["Docker"]["config"]


def in_image(*command, **options):
    """Starts a command of the image's: as its user, without new privileges, on a root that
    is read-only, with /proc as any container has it."""
    environment = dict(line.split("=", 1) for line in config()["Env"])
    user = config()["User"]
    program = (f'mount --bind "{IMAGE}" "{IMAGE}" && mkdir -p "{IMAGE}/proc" && '
               f'mount -o remount,bind,ro "{IMAGE}" && mount -t proc proc "{IMAGE}/proc" && '
               f'exec setpriv --no-new-privs '
               f'chroot --userspec={user} --groups= "{IMAGE}" "$@"')
    return subprocess.Popen(["unshare", "--mount", "sh", "-c", program, "sh", *command],
                            env=environment | {"PATH": environment["PATH"] + ":/usr/sbin:/usr/bin:"
                                               "/sbin:/bin"}, **options)


def files():
    for folder, _, names in os.walk(IMAGE):
        for name in names:
            path = os.path.join(folder, name)
            yield os.path.relpath(path, IMAGE), os.lstat(path)


class ContentsTest(unittest.TestCase):
    def test_it_is_small(self):
        size = sum(s.st_size for _, s in files()) / 1e6
        largest = sorted(files(), key=lambda f: -f[1].st_size)[:5]
        print(f"{size:.0f} MB; the largest: " +
              ", ".join(f"{path} {s.st_size / 1e6:.1f}" for path, s in largest))
        self.assertLess(size, LIMIT_MB)

    def test_nothing_can_be_executed_but_our_programs_and_the_loader(self):
        programs = {path for path, s in files() if s.st_mode & 0o111 and stat.S_ISREG(s.st_mode)
                    and not re.search(r"\.so(\.|$)", path)}
        self.assertEqual({os.path.basename(path) for path in programs},
                         {"groupmamba-server", "groupmamba-decoder", "groupmamba-client"})

    def test_nothing_is_setuid_or_for_all_to_write(self):
        for path, s in files():
            if stat.S_ISREG(s.st_mode):
                self.assertEqual(s.st_mode & 0o6022, 0, path)

    def test_the_bill_of_materials_lists_every_file_but_itself(self):
        path = "usr/share/doc/groupmamba-serve/sbom.spdx.json"
        with open(os.path.join(IMAGE, path), encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual(document["spdxVersion"], "SPDX-2.3")
        listed = {f["fileName"] for f in document["files"]}
        there = {"./" + name for name, s in files() if stat.S_ISREG(s.st_mode)}
        self.assertEqual(there - listed, {"./" + path})
        names = {p["SPDXID"]: p["name"] for p in document["packages"]}
        here, built_with = ({names[i] for r in document["relationships"]
                             if r["relationshipType"] == kind
                             for i in (r["spdxElementId"], r["relatedSpdxElement"]) if i in names}
                            for kind in ("DESCRIBES", "BUILD_DEPENDENCY_OF"))
        self.assertIn("libgrpc++1.51", here)
        self.assertLessEqual({"g++-12", "libcli11-dev"}, built_with)
        for name in here | {"libcli11-dev"}:  # which is headers, compiled into the programs
            self.assertTrue(os.path.exists(f"{IMAGE}/usr/share/doc/{name}/copyright"), name)

    def test_user_health_and_labels_are_set(self):
        self.assertEqual(config()["User"], "65532:65532")
        self.assertEqual(config()["Healthcheck"]["Test"], ["CMD", "groupmamba-client", "health"])
        self.assertIn("org.opencontainers.image.title", config()["Labels"])


class ServingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = config()["Entrypoint"] + config()["Cmd"] + ["--decode-isolation", "process"]
        start = time.monotonic()
        cls.server = in_image(*command, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
                              stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.server.kill)
        log = ""
        for line in cls.server.stderr:
            log += line
            serving = re.search(r" serving .*address=(\S+)", line)
            if serving:
                cls.address = serving.group(1)
                print(f"READY after {time.monotonic() - start:.2f} s")
                return
        raise AssertionError(log)

    def client(self, *arguments, **options):
        return in_image("groupmamba-client", *arguments, "--target", self.address,
                        stdout=subprocess.PIPE, **options)

    def test_1_it_runs_as_an_ordinary_user_without_privileges(self):
        with open(f"/proc/{self.server.pid}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual(int(status["CapEff"], 16), 0)
        self.assertEqual(status["NoNewPrivs"], "1")
        mounts = open(f"/proc/{self.server.pid}/mountinfo", encoding="utf-8").read()
        self.assertRegex(mounts, r"(?m)^\S+ \S+ \S+ \S+ / ro[, ]")

    def test_2_the_health_check_of_the_image_says_healthy(self):
        command = config()["Healthcheck"]["Test"][2:]
        with self.client(*command) as health:
            self.assertEqual(health.communicate()[0].strip(), b"SERVING")
        self.assertEqual(health.returncode, 0)

    def test_3_it_names_the_bundled_pictures(self):
        right = 0
        for path in SAMPLES:
            label = re.sub(r"^\d+-|\.png$", "", os.path.basename(path))
            with open(path, "rb") as picture, \
                    self.client("classify", "--json", "-", stdin=picture) as client:
                answer = json.loads(client.communicate()[0])
            right += answer["predictions"][0]["label"].lower().replace(" ", "-") == label
        self.assertGreaterEqual(right, 11)
        with open(f"/proc/{self.server.pid}/status", encoding="utf-8") as file:
            print(re.search(r"VmRSS:\s+(\d+ kB)", file.read()).group(0))

    def test_4_sigterm_ends_it_with_code_0(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(60), 0)


result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(unittest.TestSuite(
    map(unittest.defaultTestLoader.loadTestsFromTestCase, (ContentsTest, ServingTest))))
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0)
