#!/usr/bin/env python3
"""groupmamba-train, killed and starved of disk: what it goes on to is what it would have
been, to the bit.

Usage: resume_test.py BIN_DIR
The last line is "N passed, N failed".
"""

import fcntl
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import training  # pylint: disable=wrong-import-position

BIN = sys.argv[1]
PICTURES = 130  # 8 steps an epoch, two pictures left out
OPTIONS = ("--epochs", "3", "--checkpoint-steps", "3")
STEPS = 24
NEWEST = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


class ResumeTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = cls.folder.name
        training.write_pictures(cls.data, PICTURES)
        cls.whole = os.path.join(cls.data, "whole")
        code = training.Run(BIN, cls.data, cls.whole, *OPTIONS).wait()
        assert code == 0, code
        cls.checkpoint_bytes = os.path.getsize(os.path.join(cls.whole, NEWEST))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.out = os.path.join(self.data, "parts")
        os.makedirs(self.out)

    def tearDown(self):
        shutil.rmtree(self.out)

    def start(self, **arguments):
        return training.Run(BIN, self.data, self.out, *OPTIONS, **arguments)

    def finish(self):
        run = self.start()
        self.assertEqual(run.wait(), 0, run.stderr)
        return run.stderr

    def kill_after_checkpoints(self, count):
        with training.Watch(self.out) as watch:
            run = self.start()
            for _ in range(count):
                watch.wait_for(watch.MOVED_TO, NEWEST)
            run.process.kill()
        self.assertEqual(run.wait(), -signal.SIGKILL)

    def left_over(self):
        return [name for name in os.listdir(self.out) if ".tmp." in name or name.endswith(".new")]

    def check_same_as_whole(self):
        self.assertEqual(training.losses(self.out), training.losses(self.whole))
        self.assertEqual(training.weights_hash(self.out), training.weights_hash(self.whole))
        self.assertEqual([e["top1"] for e in training.log(self.out, "epoch")],
                         [e["top1"] for e in training.log(self.whole, "epoch")])
        self.assertEqual(self.left_over(), [])

    def test_killed_at_random_moments_again_and_again_it_ends_with_the_same_bits(self):
        rng = random.Random(os.environ.get("GROUPMAMBA_SEED", "1"))
        killed = 0
        while killed < 8:
            # An event is a line of the log, a part of a file, a file that is whole.
            events = rng.randrange(1, 60)
            with training.Watch(self.out) as watch:
                run = self.start()
                for _ in range(events):
                    name = watch.next()[1]
                    if name == "config.json" and len(training.log(self.out, "epoch")) == 3:
                        break  # done soon
                run.process.kill()
            if run.wait() == 0:
                break
            killed += 1
        self.assertGreaterEqual(killed, 2)
        self.finish()
        self.check_same_as_whole()
        self.assertEqual(len(training.losses(self.out)), STEPS)

    def test_killed_in_the_middle_of_writing_a_checkpoint_it_has_the_one_before(self):
        self.kill_after_checkpoints(2)

        def die_half_way():
            half = self.checkpoint_bytes // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))

        run = self.start(prepare=die_half_way)
        self.assertEqual(run.wait(), -signal.SIGXFSZ)
        self.assertEqual(len(self.left_over()), 1)
        self.assertIn("going on from step", self.finish())
        self.check_same_as_whole()

    def check_full_disk(self, run):
        self.assertEqual(run.wait(), 1)
        self.assertIn("not written: ", run.stderr)
        self.assertIn("stays the last one; going on", run.stderr)
        self.assertEqual(self.left_over(), [])
        self.assertIn("going on from step 6 of 24", self.finish())
        self.check_same_as_whole()

    def test_a_file_that_may_not_grow_leaves_the_last_checkpoint(self):
        self.kill_after_checkpoints(2)

        def refuse_half_way():
            half = self.checkpoint_bytes // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (half, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        self.check_full_disk(self.start(prepare=refuse_half_way))

    def test_a_full_disk_leaves_the_last_checkpoint(self):
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={6 * self.checkpoint_bytes}", "none", self.out],
            capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a disk of its own needs root and mounts")
        try:
            self.kill_after_checkpoints(2)
            filler = os.path.join(self.out, "filler")
            with open(filler, "wb") as file:
                space = os.statvfs(self.out)
                file.write(bytes(space.f_bavail * space.f_bsize - self.checkpoint_bytes // 2))
            run = self.start()
            self.assertEqual(run.wait(), 1)
            self.assertIn("No space left on device", run.stderr)
            os.remove(filler)
            self.check_full_disk(run)
        finally:
            subprocess.run(["umount", self.out], check=True)

    def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(self):
        for damage in ("flipped", "cut", "gone"):
            with self.subTest(damage):
                self.kill_after_checkpoints(3)
                path = os.path.join(self.out, NEWEST)
                with open(path, "r+b") as file:
                    if damage == "flipped":
                        file.seek(-1000, os.SEEK_END)
                        byte = file.read(1)[0]
                        file.seek(-1000, os.SEEK_END)
                        file.write(bytes([byte ^ 1]))
                    else:
                        file.truncate(self.checkpoint_bytes // 2)
                if damage == "gone":
                    os.remove(path)
                said = self.finish()
                self.assertIn("; going on from the one before it", said)
                self.assertIn("going on from step 6 of 24", said)
                self.check_same_as_whole()
                shutil.rmtree(self.out)
                os.makedirs(self.out)

    def test_where_both_checkpoints_are_damaged_it_says_what_to_do(self):
        self.kill_after_checkpoints(2)
        for name in (NEWEST, PREVIOUS):
            os.truncate(os.path.join(self.out, name), 100)
        run = self.start()
        self.assertEqual(run.wait(), 1)
        self.assertIn("--restart begins anew", run.stderr)

    def test_a_folder_into_which_another_process_trains_is_refused(self):
        folder = os.open(self.out, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        run = self.start()
        self.assertEqual(run.wait(), 1)
        self.assertIn("another process trains into it", run.stderr)
        os.close(folder)

    def test_asked_to_stop_it_writes_a_checkpoint_of_that_step(self):
        with training.Watch(self.out) as watch:
            run = self.start()
            for _ in range(11):  # the start, and ten steps
                watch.wait_for(watch.MODIFIED, "train.log.jsonl")
            run.process.terminate()
        self.assertEqual(run.wait(), 3, run.stderr)
        done = training.losses(self.out)[-1][0]
        self.assertIn(f"going on from step {done} of", self.finish())
        self.check_same_as_whole()


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(ResumeTest)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(failed > 0)
