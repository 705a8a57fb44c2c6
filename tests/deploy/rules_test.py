#!/usr/bin/python3
"""The rules for Prometheus: promtool takes them, each alert fires when it should and not
otherwise (alerts.yaml), and has its section in docs/operations.md.

Usage: rules_test.py BIN_DIR CHECKOUT
"""

import copy
import os
import re
import subprocess
import tempfile
import unittest

import support

# pylint: disable=wrong-import-position
import yaml

HERE = os.path.join(support.ROOT, "tests/deploy")


def promtool(*arguments, folder):
    return subprocess.run(["promtool", *arguments], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


class RulesTest(unittest.TestCase):
    def setUp(self):
        rules = support.of_kind(support.monitoring(), "PrometheusRule")[0]
        self.spec = copy.deepcopy(rules["spec"])  # tests change it
        self.alerts = [r for g in self.spec["groups"] for r in g["rules"] if "alert" in r]
        with open(os.path.join(HERE, "alerts.yaml"), encoding="utf-8") as file:
            self.tests = yaml.safe_load(file)

    def alert_test(self, spec):
        """promtool's verdict on `spec` by alerts.yaml."""
        # promtool wants the annotations, too; they are the rules' own.
        annotations = {r["alert"]: r["annotations"] for r in self.alerts}
        for test in self.tests["tests"]:
            for expected in test["alert_rule_test"]:
                for alert in expected["exp_alerts"]:
                    alert["exp_annotations"] = annotations[expected["alertname"]]
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("rules.yaml", spec),
                                  ("alerts.yaml", {**self.tests, "rule_files": ["rules.yaml"]})):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    yaml.safe_dump(content, file)
            self.assertEqual(promtool("check", "rules", "rules.yaml", folder=folder).returncode, 0)
            return promtool("test", "rules", "alerts.yaml", folder=folder)

    def test_every_alert_fires_when_it_should_and_not_otherwise(self):
        run = self.alert_test(self.spec)
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_every_alert_is_seen_firing(self):
        fired = {expected["alertname"] for test in self.tests["tests"]
                 for expected in test["alert_rule_test"] if expected["exp_alerts"]}
        self.assertEqual(fired, {r["alert"] for r in self.alerts})

    def test_an_alert_that_cannot_fire_is_found(self):
        for alert in self.alerts:
            alert["expr"] = f"({alert['expr']}) and vector(0) > 1"
        missed = set(re.findall(r"alertname: (\w+)", self.alert_test(self.spec).stdout))
        self.assertEqual(missed, {r["alert"] for r in self.alerts})

    def test_every_alert_leads_to_its_section_in_the_runbook(self):
        with open(os.path.join(support.ROOT, "docs/operations.md"), encoding="utf-8") as file:
            anchors = {heading.lower() for heading in re.findall(r"(?m)^#+ (\S+)$", file.read())}
        for alert in self.alerts:
            page, anchor = alert["annotations"]["runbook_url"].split("#")
            self.assertEqual(page, "docs/operations.md")
            self.assertIn(anchor, anchors)
            self.assertEqual(anchor, alert["alert"].lower())
            self.assertIn(alert["labels"]["severity"], ("critical", "warning"))


support.run_tests(RulesTest)
