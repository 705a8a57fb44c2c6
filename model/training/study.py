#!/usr/bin/env python3
"""Does the distilled loss help? Trains runs that differ in it alone, and tells how they end.

  ./dev study               three seeds with and without a teacher, one size, paper form
  ./dev study --wide        the same for two sizes and both block forms
  ./dev study --stability   the largest size here, at a learning rate that is too high

It may be stopped at any moment: called again it goes on where it was, and what is finished
is not run again. The table goes to standard output, in Markdown; progress to standard error.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

# Flags of groupmamba-train.
SIZES = {
    "small": {"stem-width": 16, "widths": "16,32,64,96", "depths": "1,2,2,1"},
    "bundled": {"stem-width": 24, "widths": "32,64,128,192", "depths": "1,2,2,1"},
    # The widths and depths of the paper's base, 53 million parameters.
    "base": {"stem-width": 64, "widths": "96,192,424,512", "depths": "3,6,21,3",
             "mlp-ratios": "8,8,4,4"},
}
# The teacher is a folder of which the students take the size of the pictures.
COMMON = {"side": 48}
# Without clipping, which would hide what is looked for.
STABILITY = {"epochs": 1, "batch": 32, "train-limit": 32 * 300, "test-limit": 500,
             "warmup-epochs": 0.05, "clip": 0, "log-steps": 1}


class Run:
    """One run of a study: its folder, its flags, what it was."""

    def __init__(self, folder, flags, **what):
        self.folder, self.flags, self.what = folder, flags, what

    def name(self):
        return os.path.basename(self.folder)

    def log(self):
        try:
            with open(os.path.join(self.folder, "train.log.jsonl"), encoding="ascii") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def last(self, event):
        return next((line for line in reversed(self.log()) if line["event"] == event), None)

    def diverged(self):
        return self.last("diverged")

    def finished(self):
        last = self.last("epoch")
        return self.diverged() or (last and last["epoch"] == self.flags["epochs"])

    def command(self, program):
        command = [program, "--out", self.folder]
        for name, value in self.flags.items():
            command += [f"--{name}", str(value)]
        return command


def comparison_runs(options):
    sizes = ("small", "bundled") if options.wide else ("small",)
    forms = ("paper", "released") if options.wide else ("paper",)
    return [Run(os.path.join(options.out, f"{form}-{size}-alpha{alpha}-seed{seed}"),
                {**COMMON, **SIZES[size], "block": form, "seed": seed, "epochs": options.epochs,
                 **teaching(options, alpha), **shared(options)},
                form=form, size=size, alpha=alpha, seed=seed)
            for size in sizes for form in forms
            for seed in range(1, options.seeds + 1) for alpha in (1, 0.5)]


def stability_runs(options):
    limits = {"train-limit": options.train_limit} if options.train_limit else {}
    return [Run(os.path.join(options.out, f"stability-alpha{alpha}"),
                {**COMMON, **SIZES["base"], **teaching(options, alpha), **STABILITY, **limits,
                 "learning-rate": options.learning_rate, "threads": 1}, alpha=alpha)
            for alpha in (1, 0.5)]


def teaching(options, alpha):
    return {} if alpha == 1 else {"teacher": options.teacher, "alpha": alpha}


def shared(options):
    limit = {"train-limit": options.train_limit, "test-limit": options.train_limit}
    return {"threads": 1, **(limit if options.train_limit else {})}


def train(runs, program, jobs):
    """Runs what is not finished, `jobs` at a time; the exit code, 0 when all are."""
    waiting = [run for run in runs if not run.finished()]
    print(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished", file=sys.stderr)
    start, todo, running, ended = time.monotonic(), len(waiting), {}, []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                os.makedirs(run.folder, exist_ok=True)
                with open(os.path.join(run.folder, "train.txt"), "ab") as said:
                    process = subprocess.Popen(run.command(program), stdout=said, stderr=said)
                running[process.pid] = run, process
                print(f"{run.name()}: begun or gone on with; how it goes: {said.name}",
                      file=sys.stderr)
            pid, _ = os.waitpid(-1, 0)
            run = running.pop(pid)[0]
            ended.append(run)
            if not run.finished():
                print(f"study: {run.name()} failed; see {run.folder}/train.txt. The same command "
                      "goes on from its last checkpoint", file=sys.stderr)
                return 1
            minutes = (time.monotonic() - start) / 60
            print(f"{run.name()}: finished; about {minutes / len(ended) * (todo - len(ended)):.0f} "
                  "min left", file=sys.stderr)
    finally:  # asked to stop, or one has failed
        for _, process in running.values():
            process.terminate()
        for pid in running:
            os.waitpid(pid, 0)
    return 0


def spread(values):
    mean = statistics.mean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def comparison_table(runs):
    """Top-1 by seed; the difference is that of runs with the same seed."""
    groups = {}
    for run in runs:
        group = groups.setdefault((run.what["form"], run.what["size"]), {})
        group.setdefault(run.what["alpha"], []).append(run)
    print("| form, size | alpha | top-1 by seed, % | mean ± standard deviation | "
          "minutes a run |\n| --- | --- | --- | --- | --- |")
    for (form, size), by_alpha in groups.items():
        top1 = {}
        for alpha, members in by_alpha.items():
            ends = [run.last("epoch") for run in members]
            top1[alpha] = [100 * end["top1"] for end in ends]
            minutes = statistics.mean(end["seconds"] / 60 for end in ends)
            print(f"| {form}, {size} | {alpha} | {', '.join(f'{t:.2f}' for t in top1[alpha])} | "
                  f"{spread(top1[alpha])} | {minutes:.1f} |")
        gains = [taught - alone for alone, taught in zip(top1[1], top1[0.5])]
        print(f"| {form}, {size} | 0.5 less 1 | {', '.join(f'{g:+.2f}' for g in gains)} | "
              f"{spread(gains)} | |")


def stability_table(runs):
    print("| alpha | largest gradient norm | median gradient norm | smoothed loss at the end | "
          "top-1, % |\n| --- | --- | --- | --- | --- |")
    for run in runs:
        steps = [line for line in run.log() if line["event"] == "step"]
        norms = [line["gradient_norm"] for line in steps if line["gradient_norm"] is not None]
        end, diverged = run.last("epoch"), run.diverged()
        print(f"| {run.what['alpha']} | {max(norms):.3g} | {statistics.median(norms):.3g} | "
              f"{steps[-1]['smoothed_loss']:.3f} | "
              + (f"diverged at step {diverged['step']} |" if diverged
                 else f"{100 * end['top1']:.2f} |"))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", help="folder of groupmamba-train")
    parser.add_argument("--wide", action="store_true", help="two sizes and both block forms")
    parser.add_argument("--stability", action="store_true",
                        help="the largest size at a learning rate that is too high")
    parser.add_argument("--out", default="build/study", help="folder of the runs (%(default)s)")
    parser.add_argument("--teacher", default="models/fashion/1",
                        help="model folder of the teacher (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (%(default)s)")
    parser.add_argument("--epochs", type=int, default=7, help="of a run (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=2e-3,
                        help="of --stability (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="runs at a time, each on one thread (%(default)s)")
    parser.add_argument("--train-limit", type=int, default=0,
                        help="pictures of each split, to try it out (all)")
    options = parser.parse_args()
    program = os.path.join(options.binaries, "groupmamba-train")
    runs = stability_runs(options) if options.stability else comparison_runs(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    code = train(runs, program, options.jobs)
    if code:
        return code
    (stability_table if options.stability else comparison_table)(runs)
    page = os.path.join(options.out, "stability.html" if options.stability else "study.html")
    return subprocess.run([program, "--plot", *(run.folder for run in runs), "--html", page],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
