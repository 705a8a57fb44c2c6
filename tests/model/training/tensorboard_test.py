#!/usr/bin/python3
"""What `groupmamba-train --tensorboard` writes, read by TensorBoard's own reader.

Usage: tensorboard_test.py BIN_DIR
The reader is fetched once into BIN_DIR/../tensorboard, by the hashes in tensorboard.lock;
where it cannot be had, the test says so and is skipped.
"""

import os
import pathlib
import sys
import tempfile
import unittest

BIN = sys.argv[1]
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "testing"))
import training  # pylint: disable=wrong-import-position
import wheels  # pylint: disable=wrong-import-position

missing = wheels.install(str(HERE / "tensorboard.lock"), os.path.join(BIN, "../tensorboard"))
if missing:
    print("[  SKIPPED ] 1 test: TensorBoard could not be fetched:", missing)
    print("0 passed, 0 failed")
    sys.exit(0)

# pylint: disable=wrong-import-position
from tensorboard.backend.event_processing import event_accumulator


class TensorBoardTest(unittest.TestCase):

    def test_it_reads_what_the_log_says_each_step_once_though_the_run_was_killed(self):
        with tempfile.TemporaryDirectory() as data:
            training.write_pictures(data, 130)
            out = os.path.join(data, "out")
            options = ("--epochs", "2", "--checkpoint-steps", "3", "--tensorboard")
            os.makedirs(out)
            with training.Watch(out) as watch:
                run = training.Run(BIN, data, out, *options)
                for _ in range(8):  # seven steps, of which six are in a checkpoint
                    watch.wait_for(watch.MODIFIED, "train.log.jsonl")
                run.process.kill()
            run.wait()
            run = training.Run(BIN, data, out, *options)
            self.assertEqual(run.wait(), 0, run.stderr)

            folder = os.path.join(out, "tensorboard")
            self.assertEqual(len(os.listdir(folder)), 2)
            read = event_accumulator.EventAccumulator(folder)
            read.Reload()
            for event, key in (("step", "loss"), ("step", "gradient_norm"),
                               ("step", "learning_rate"), ("epoch", "top1")):
                logged = [(line["step"], line[key]) for line in training.log(out, event)]
                self.assertEqual(len(logged), {"step": 16, "epoch": 2}[event])
                shown = read.Scalars(f"{event}/{key}")
                self.assertEqual([s.step for s in shown], [step for step, _ in logged])
                for scalar, (_, value) in zip(shown, logged):
                    self.assertAlmostEqual(scalar.value, value, delta=1e-6 * abs(value) + 1e-12)
            # A zero is a value, too.
            self.assertIn("step/step_seconds/exchange", read.Tags()["scalars"])


suite = unittest.defaultTestLoader.loadTestsFromTestCase(TensorBoardTest)
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0)
