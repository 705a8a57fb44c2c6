#!/usr/bin/env python3
"""groupmamba-train as several processes: they train what one would, and none waits for a
dead one.

Usage: processes_test.py BIN_DIR
The last line is "N passed, N failed".
"""

import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testing"))
import training  # pylint: disable=wrong-import-position

BIN = sys.argv[1]
PICTURES = 130  # 8 steps an epoch
# Wide enough that no norm is over a handful of values, which makes a sign of a rounding;
# and slow, since Adam makes a step of the learning rate of a gradient that is all but zero:
# at 2e-3 one process on two threads drifts as far from one on one.
EVEN = ("--epochs", "2", "--learning-rate", "5e-5", "--ema", "0", "--stem-width", "16",
        "--widths", "64,64,128,128")
TWO = ("--processes", "2")
BOUND_S = 30  # in which survivors have to end


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def furthest(one, two):
    """The largest difference of two models' weights, over all of them."""
    ours, theirs = training.weights(one), training.weights(two)
    assert ours.keys() == theirs.keys()
    return max(abs(a - b) for name in ours for a, b in zip(ours[name], theirs[name]))


class ProcessesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = cls.folder.name
        training.write_pictures(cls.data, PICTURES)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.outs = os.path.join(self.data, "runs")
        os.makedirs(self.outs)

    def tearDown(self):
        shutil.rmtree(self.outs)

    def out(self, name):
        path = os.path.join(self.outs, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name, *options, **arguments):
        return training.Run(BIN, self.data, self.out(name), *options, **arguments)

    def train(self, name, *options):
        run = self.start(name, *options)
        self.assertEqual(run.wait(), 0, run.stderr)
        return self.out(name)

    def join(self, rank, name, port, *options):
        """As torchrun starts a process."""
        return self.start(name, *options, environment={
            "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port)})

    def test_two_equal_one_at_twice_the_batch(self):
        one, two = self.train("one", *EVEN), self.train("two", *EVEN, *TWO)
        ours, theirs = training.losses(one), training.losses(two)
        self.assertEqual(len(ours), 16)
        for mine, other in zip(ours, theirs):
            for here, there in zip(mine, other):  # step, losses, gradient's norm
                self.assertAlmostEqual(here, there, delta=1e-5 * here)
        self.assertLess(furthest(one, two), 1e-5)
        # Far less than what training changed, or another batch would.
        start = self.train("start", *EVEN, "--learning-rate", "1e-12")
        self.assertGreater(furthest(one, start), 5e-4)
        half = self.train("half", *EVEN, "--batch", "8")
        self.assertGreater(abs(ours[0][1] - training.losses(half)[0][1]), 1e-3)

    def test_two_equal_one_in_the_released_form(self):
        # Its class token is one value a channel, normed twice: roundings are seen sooner.
        options = (*EVEN, "--block", "released")
        one, two = self.train("one", *options), self.train("two", *options, *TWO)
        ours, theirs = training.losses(one), training.losses(two)
        self.assertAlmostEqual(ours[0][1], theirs[0][1], delta=1e-5)
        for mine, other in zip(ours, theirs):
            self.assertAlmostEqual(mine[1], other[1], delta=1e-3)

    def test_two_are_near_one_in_bf16(self):
        options = (*EVEN, "--precision", "bf16")
        one, two = self.train("one", *options), self.train("two", *options, *TWO)
        ours, theirs = training.losses(one), training.losses(two)
        for mine, other in zip(ours, theirs):
            self.assertAlmostEqual(mine[1], other[1], delta=0.02 * mine[1])

    def test_torchrun_s_variables_do_the_same_as_processes(self):
        port = free_port()
        both = [self.join(rank, "joined", port, "--epochs", "2") for rank in (0, 1)]
        self.assertEqual([run.wait() for run in both], [0, 0], both[0].stderr + both[1].stderr)
        started = self.train("started", "--epochs", "2", *TWO)
        self.assertEqual(training.weights_hash(self.out("joined")),
                         training.weights_hash(started))

    def test_killed_altogether_they_go_on_to_the_same_bits(self):
        options = (*TWO, "--epochs", "2", "--checkpoint-steps", "3")
        whole = self.train("whole", *options)
        with training.Watch(self.out("parts")) as watch:
            run = self.start("parts", *options)
            for _ in range(6):
                watch.wait_for(watch.MODIFIED, "train.log.jsonl")
            run.process.kill()
        self.assertEqual(run.wait(), -signal.SIGKILL)
        # Its processes stop by themselves, as if asked to; until then the folder is theirs.
        for _ in range(50):
            run = self.start("parts", *options)
            if run.wait() == 0:
                break
            self.assertIn("another process trains into it", run.stderr)
        self.assertEqual(training.losses(self.out("parts")), training.losses(whole))
        self.assertEqual(training.weights_hash(self.out("parts")), training.weights_hash(whole))

    def test_asked_to_stop_all_stop_at_the_same_step(self):
        options = (*TWO, "--epochs", "2")
        with training.Watch(self.out("stopped")) as watch:
            run = self.start("stopped", *options)
            watch.wait_for(watch.MODIFIED, "train.log.jsonl")
            run.process.terminate()
        self.assertEqual(run.wait(), 3, run.stderr)
        whole = self.train("whole", *options)
        self.assertEqual(training.weights_hash(self.train("stopped", *options)),
                         training.weights_hash(whole))

    def test_when_one_is_killed_it_is_named_and_the_checkpoint_is_whole(self):
        for rank in (0, 1):
            with self.subTest(rank=rank):
                name = f"killed{rank}"
                options = (*TWO, "--epochs", "2", "--checkpoint-steps", "2")
                with training.Watch(self.out(name)) as watch:
                    run = self.start(name, *options)
                    watch.wait_for(watch.MOVED_TO, "checkpoint.safetensors")
                    os.kill(run.children()[rank], signal.SIGKILL)
                self.assertEqual(run.wait(BOUND_S), 1)
                self.assertIn(f"process {rank} of 2 was killed by signal 9", run.stderr)
                again = self.start(name, *options)
                self.assertEqual(again.wait(), 0, again.stderr)
                self.assertIn("going on from step", again.stderr)

    def test_who_loses_another_process_says_so_and_ends(self):
        for victim in (0, 1):
            with self.subTest(victim=victim):
                name, port = f"lost{victim}", free_port()
                with training.Watch(self.out(name)) as watch:
                    both = [self.join(rank, name, port, "--epochs", "100") for rank in (0, 1)]
                    watch.wait_for(watch.MODIFIED, "train.log.jsonl")
                    both[victim].process.kill()
                both[victim].wait()
                other = both[1 - victim]
                self.assertEqual(other.wait(BOUND_S), 1)
                self.assertIn(f"process {1 - victim} of 2 has lost the others", other.stderr)

    def test_who_is_silent_too_long_is_given_up(self):
        name, port = "silent", free_port()
        options = ("--epochs", "100", "--peer-timeout-s", "3")
        with training.Watch(self.out(name)) as watch:
            both = [self.join(rank, name, port, *options) for rank in (0, 1)]
            watch.wait_for(watch.MODIFIED, "train.log.jsonl")
            both[1].process.send_signal(signal.SIGSTOP)
            self.assertEqual(both[0].wait(BOUND_S), 1)
        self.assertIn("has lost the others", both[0].stderr)
        both[1].process.kill()
        both[1].wait()

    def test_who_waits_in_vain_says_for_whom(self):
        run = self.join(0, "alone", free_port(), "--peer-timeout-s", "2")
        self.assertEqual(run.wait(BOUND_S), 1)
        self.assertIn("process 0 of 2 could not meet the others at 127.0.0.1", run.stderr)

    def test_wrong_places_and_shares_are_wrong_usage(self):
        place = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        for environment, options, problem in (
                (place, (), "MASTER_PORT"),
                ({**place, "MASTER_PORT": "1", "RANK": "2"}, (), "RANK"),
                ({**place, "MASTER_PORT": "1"}, TWO, "--processes"),
                ({}, ("--processes", "3"), "--batch 16")):
            run = self.start("wrong", *options, environment=environment)
            self.assertEqual(run.wait(), 2)
            self.assertIn(problem, run.stderr)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(ProcessesTest)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(failed > 0)
