#!/usr/bin/python3
"""The manifests of deploy/: each overlay and component renders, is what Kubernetes and the
custom resources' controllers take, and keeps to the rules of security and of ending.

Usage: manifests_test.py BIN_DIR CHECKOUT
"""

import functools
import glob
import json
import os
import re
import subprocess
import tempfile
import tomllib
import unittest

import support
from support import DEPLOY, ROOT, of_kind, render

# pylint: disable=wrong-import-position
import jsonschema
import kubernetes_validate.utils
import yaml

# Supported ones, and as far back as the edge's preStop sleep goes.
VERSIONS = ("1.30", "1.32", "1.34", "1.37")
OVERLAYS = sorted(os.path.dirname(path)
                  for path in glob.glob(os.path.join(DEPLOY, "overlays/*/kustomization.yaml")))
# Components that may be together; each stands in at least one row.
COMBINATIONS = (("tls", "tokens", "model-volume", "autoscale-keda"),
                ("tls", "model-fetch", "autoscale-hpa"), ("tokens",))
# It reads a version's definitions again for each object.
kubernetes_validate.utils.schema_contents = functools.lru_cache(maxsize=None)(
    kubernetes_validate.utils.schema_contents)
CUSTOM = ("monitoring.coreos.com/", "keda.sh/")
KSERVE = "serving.kserve.io/"  # kserve_test's


def compose(*components):
    """The base with these components, as an overlay of a user's own would."""
    with tempfile.TemporaryDirectory() as folder:
        real = os.path.realpath(folder)
        relative = os.path.relpath(DEPLOY, real)
        with open(os.path.join(real, "kustomization.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump({"resources": [relative + "/base"],
                            "components": [f"{relative}/components/{c}" for c in components],
                            "namespace": "elsewhere",
                            "images": [{"name": "groupmamba-serve", "newName": "here/ours",
                                        "digest": "sha256:" + "0" * 64}]}, file)
        return render(real)


def everything():
    """(name, objects) of all that can be applied."""
    for overlay in [os.path.join(DEPLOY, "base"), *OVERLAYS]:
        yield os.path.relpath(overlay, DEPLOY), render(overlay)
    for combination in COMBINATIONS:
        yield "+".join(("base",) + combination), compose(*combination)


def pod_specs(objects):
    """(name, pod spec) of everything that makes pods."""
    for o in objects:
        if o["kind"] in ("Deployment", "Job"):
            yield o["metadata"]["name"], o["spec"]["template"]["spec"]
    # KServe makes a pod of both: the service's settings and the runtime's containers.
    for service in of_kind(objects, "InferenceService"):
        name = service["spec"]["predictor"]["model"]["runtime"]
        runtime = next(o for o in of_kind(objects, "ServingRuntime")
                       if o["metadata"]["name"] == name)
        pod = {key: value for key, value in service["spec"]["predictor"].items()
               if key not in ("minReplicas", "maxReplicas", "model")}
        yield name, {**pod, "containers": runtime["spec"]["containers"],
                     "volumes": runtime["spec"]["volumes"]}


def settings_of(objects):
    for o in of_kind(objects, "ConfigMap"):
        if "settings.toml" in o.get("data", {}):
            return o["metadata"]["name"], o["data"]["settings.toml"]
    raise AssertionError("there are no settings")


class SchemaTest(unittest.TestCase):
    def test_every_overlay_and_component_is_looked_at(self):
        names = {os.path.basename(path) for path in OVERLAYS}
        self.assertEqual(names, {"cpu", "edge", "gpu", "kserve", "loadtest", "monitoring"})
        components = {name for row in COMBINATIONS for name in row} | {"settings"}
        self.assertEqual(components, set(os.listdir(os.path.join(DEPLOY, "components"))))

    def test_kubernetes_takes_every_object_strictly(self):
        for name, objects in everything():
            for o in objects:
                if o["apiVersion"].startswith((*CUSTOM, KSERVE)):
                    continue
                for version in VERSIONS:
                    with self.subTest(name, kind=o["kind"], version=version):
                        kubernetes_validate.validate(o, version, strict=True)

    def test_strict_means_that_an_unknown_field_is_refused(self):
        deployment = json.loads(json.dumps(of_kind(render(DEPLOY + "/base"), "Deployment")[0]))
        deployment["spec"]["template"]["spec"]["containers"][0]["livenes"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)

    def test_custom_resources_have_known_fields_only(self):
        with open(os.path.join(ROOT, "tests/deploy/custom_resources.yaml"),
                  encoding="utf-8") as file:
            schemas = yaml.safe_load(file)
        seen = set()
        for name, objects in everything():
            for o in objects:
                if o["apiVersion"].startswith(CUSTOM):
                    schema = o["apiVersion"] + "/" + o["kind"]
                    seen.add(schema)
                    with self.subTest(name, schema=schema):
                        jsonschema.validate(o, schemas[schema])
        self.assertEqual(seen, set(schemas) - {"definitions"})

    def test_what_kserve_makes_of_ours_is_a_pod(self):
        for name, spec in pod_specs(render(DEPLOY + "/overlays/kserve")):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
            for version in VERSIONS:
                kubernetes_validate.validate(pod, version, strict=True)


class PolicyTest(unittest.TestCase):
    def each_pod(self):
        count = 0
        for overlay, objects in everything():
            for name, spec in pod_specs(objects):
                count += 1
                with self.subTest(overlay, pod=name):
                    yield objects, spec
        self.assertGreater(count, len(OVERLAYS))

    def test_pods_run_as_an_ordinary_user_under_seccomp_without_a_token(self):
        for _, spec in self.each_pod():
            context = spec["securityContext"]
            self.assertTrue(context["runAsNonRoot"])
            self.assertGreaterEqual(context["runAsUser"], 10000)
            self.assertEqual(context["seccompProfile"]["type"], "RuntimeDefault")
            self.assertIs(spec["automountServiceAccountToken"], False)
            # Else a Service's variables would pass for settings: GROUPMAMBA_...
            self.assertIs(spec["enableServiceLinks"], False)
            for field in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(field, spec)
            self.assertFalse([v for v in spec.get("volumes", []) if "hostPath" in v])

    def test_containers_have_no_capability_no_way_up_and_a_root_that_is_read_only(self):
        for _, spec in self.each_pod():
            for container in spec["containers"] + spec.get("initContainers", []):
                context = container["securityContext"]
                self.assertIs(context["allowPrivilegeEscalation"], False)
                self.assertIs(context["readOnlyRootFilesystem"], True)
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                self.assertNotIn("privileged", context)
                resources = container["resources"]
                self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])
                self.assertIn("cpu", resources["requests"])
                self.assertNotIn("cpu", resources["limits"])

    def test_the_grace_holds_linger_longest_deadline_and_last_batch(self):
        for objects, spec in self.each_pod():
            if "--models" not in "".join(spec["containers"][0].get("args", [])):
                continue
            settings = tomllib.loads(settings_of(objects)[1])
            needed = settings["drain-linger-s"] + settings["max-deadline-ms"] / 1000 + 2
            self.assertGreaterEqual(settings["drain-grace-s"], needed)
            self.assertGreater(spec["terminationGracePeriodSeconds"], settings["drain-grace-s"])
            probe = spec["containers"][0]["readinessProbe"]
            self.assertNotIn("preStop", spec["containers"][0].get("lifecycle", {}))
            self.assertTrue(settings["health"].endswith(f":{probe['grpc']['port']}"))

    def test_liveness_is_of_the_process_alone(self):
        for _, spec in self.each_pod():
            for container in spec["containers"]:
                self.assertNotIn("grpc", container.get("livenessProbe", {}))

    def test_our_pods_have_their_network_policies(self):
        for overlay in OVERLAYS:
            objects = render(overlay)
            for o in of_kind(objects, "Deployment") + of_kind(objects, "Job"):
                labels = o["spec"]["template"]["metadata"]["labels"]
                self.assertEqual(labels["app.kubernetes.io/part-of"], "groupmamba")
        deny = next(o for o in of_kind(render(DEPLOY + "/base"), "NetworkPolicy")
                    if o["metadata"]["name"].endswith("default-deny"))
        self.assertEqual(set(deny["spec"]), {"podSelector", "policyTypes"})
        self.assertEqual(deny["spec"]["policyTypes"], ["Ingress", "Egress"])

    def test_nothing_names_a_namespace_a_registry_or_holds_a_secret(self):
        for name, objects in everything():
            for o in objects:
                with self.subTest(name, kind=o["kind"]):
                    self.assertNotEqual(o["kind"], "Secret")
                    if not name.startswith("base+"):
                        self.assertNotIn("namespace", o["metadata"])
        for overlay in [DEPLOY + "/base", *OVERLAYS]:
            for _, spec in pod_specs(render(overlay)):
                for container in spec["containers"]:
                    self.assertRegex(container["image"], "^[a-z-]+$")

    def test_an_overlay_of_ones_own_sets_namespace_and_image_everywhere(self):
        for combination in COMBINATIONS:
            objects = compose(*combination)
            self.assertEqual({o["metadata"].get("namespace") for o in objects}, {"elsewhere"})
            server = of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
            self.assertTrue(server["image"].startswith("here/ours@sha256:"))

    def test_selectors_find_what_they_are_meant_for(self):
        for name, objects in everything():
            pods = [o["spec"]["template"]["metadata"]["labels"]
                    for o in of_kind(objects, "Deployment") + of_kind(objects, "Job")]
            wanted = [o["spec"]["selector"] for o in of_kind(objects, "Service")]
            wanted += [o["spec"]["selector"]["matchLabels"]
                       for kind in ("PodDisruptionBudget", "Deployment")
                       for o in of_kind(objects, kind)]
            for selector in wanted:
                with self.subTest(name, selector=selector):
                    self.assertEqual(sum(selector.items() <= pod.items() for pod in pods), 1)

    def test_the_autoscaler_asks_for_what_the_adapter_makes(self):
        data = next(o["data"] for o in of_kind(support.monitoring(), "ConfigMap")
                    if "config.yaml" in o["data"])
        made = [rule["name"]["as"] for rule in yaml.safe_load(data["config.yaml"])["rules"]]
        scaler = of_kind(render(DEPLOY + "/overlays/cpu"), "HorizontalPodAutoscaler")[0]
        self.assertEqual([m["pods"]["metric"]["name"] for m in scaler["spec"]["metrics"]], made)

    def test_with_tls_services_no_longer_promise_plain_http2(self):
        for service in of_kind(compose("tls"), "Service"):
            for port in service["spec"]["ports"]:
                self.assertNotIn("appProtocol", port)


class ServerTest(unittest.TestCase):
    def test_the_server_takes_the_manifests_settings_and_arguments(self):
        for overlay in ("cpu", "kserve"):
            objects = render(f"{DEPLOY}/overlays/{overlay}")
            for _, spec in pod_specs(objects):
                with tempfile.TemporaryDirectory() as folder:
                    path = os.path.join(folder, "settings.toml")
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(settings_of(objects)[1])
                    arguments = [re.sub(r"=/etc/groupmamba/settings.toml$", "=" + path,
                                        re.sub(r"=(/mnt)?/models$", f"={ROOT}/models", argument))
                                 for argument in spec["containers"][0]["args"]]
                    environment = {e["name"]: e.get("value", "2")
                                   for e in spec["containers"][0]["env"]}
                    server = support.Server(*arguments, "--health", "127.0.0.1:0",
                                            "--drain-linger-s", "0", environment=environment)
                    self.assertEqual(server.stop(), 0)

    def test_every_variable_in_a_manifest_is_a_setting(self):
        text = subprocess.run([os.path.join(support.BIN, "groupmamba-server"), "--help"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        settings = {"GROUPMAMBA_" + name.upper().replace("-", "_")
                    for name in re.findall(r"--([a-z0-9-]+)", text)}
        for name, objects in everything():
            for _, spec in pod_specs(objects):
                if spec["containers"][0]["name"] in ("server", "kserve-container"):
                    for variable in spec["containers"][0].get("env", []):
                        self.assertIn(variable["name"], settings, name)

    def test_the_model_is_unpacked_only_when_its_hash_is_right(self):
        script = os.path.join(DEPLOY, "components/model-fetch/fetch.sh")
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, "model.tar.gz")
            subprocess.run(["tar", "-czf", archive, "-C", ROOT + "/models", "fashion"], check=True)
            right = subprocess.run(["sha256sum", archive], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout.split()[0]
            for sha256, code in ((right, 0), ("0" * 64, 1)):
                models = os.path.join(folder, "models" + sha256[:4])
                os.mkdir(models)
                run = subprocess.run(
                    ["sh", script, models], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    check=False, env={**os.environ, "MODEL_URL": "file://" + archive,
                                      "MODEL_SHA256": sha256})
                self.assertEqual(run.returncode, code)
                self.assertEqual(os.listdir(models), ["fashion"] if code == 0 else [])


support.run_tests(SchemaTest, PolicyTest, ServerTest)
