#!/usr/bin/python3
"""Drives the server on the bundled model with the V2 protocol's own clients:
tritonclient and perf_analyzer from PyPI, and the standard health stubs; and with
our own load generator, which speaks V2 too.

Usage: v2_clients_test.py BIN_DIR CHECKOUT
The clients are fetched once into BIN_DIR/../v2_clients, by the hashes in
v2_clients.lock; where they cannot be had, the test says so and is skipped.
"""

import base64
import csv
import glob
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

BIN, ROOT = sys.argv[1:3]
LOCK = os.path.join(ROOT, "tests/integration/v2_clients.lock")
SITE = os.path.join(BIN, "../v2_clients")
SAMPLES = sorted(glob.glob(os.path.join(ROOT, "client/samples/*.png")))
# Of one measurement of perf_analyzer, which needs at least three.
WINDOW_MS = os.environ.get("GROUPMAMBA_PERF_WINDOW_MS", "500")


sys.path.insert(0, os.path.join(ROOT, "tests/testing"))
import programs  # pylint: disable=wrong-import-position
import wheels  # pylint: disable=wrong-import-position

missing = wheels.install(LOCK, SITE)
if missing:
    print("[  SKIPPED ] 1 test: the V2 clients could not be fetched:", missing)
    print("0 passed, 0 failed")
    sys.exit(0)

# pylint: disable=wrong-import-position
import grpc
import numpy as np
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image
from tritonclient.utils import InferenceServerException


def read(path):
    with open(path, "rb") as file:
        return file.read()


def label_of(path):
    """The samples' names end in their labels: 01-ankle-boot.png."""
    return re.sub(r"^\d+-|\.png$", "", os.path.basename(path))


def encoded_input(files):
    tensor = triton.InferInput("encoded", [len(files), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[file] for file in files], dtype=object))
    return tensor


def pixels_input(pixels):
    tensor = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    return tensor


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.client = triton.InferenceServerClient(server.address)

    def tearDown(self):
        self.client.close()

    def expect_refused(self, code, text, call):
        with self.assertRaises(InferenceServerException) as caught:
            call()
        self.assertEqual(caught.exception.status(), "StatusCode." + code)
        self.assertIn(text, caught.exception.message())


class TritonClientTest(ClientTest):
    def test_the_server_and_its_models_are_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        for name in ("fashion", "fashion+encoded"):
            self.assertTrue(self.client.is_model_ready(name))
            self.assertTrue(self.client.is_model_ready(name, "1"))
        index = self.client.get_model_repository_index(as_json=True)["models"]
        self.assertEqual([(m["name"], m["version"], m["state"]) for m in index],
                         [("fashion", "1", "READY"), ("fashion+encoded", "1", "READY")])

    def test_standard_health_probes_answer(self):
        with grpc.insecure_channel(server.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for service in ("", "fashion", "inference.GRPCInferenceService"):
                request = health_pb2.HealthCheckRequest(service=service)
                self.assertEqual(stub.Check(request).status,
                                 health_pb2.HealthCheckResponse.SERVING)
                watch = stub.Watch(request)
                self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
                watch.cancel()

    def test_metadata_and_configuration(self):
        self.assertIn("statistics", self.client.get_server_metadata().extensions)
        metadata = self.client.get_model_metadata("fashion", "1")
        self.assertEqual(list(metadata.inputs[0].shape), [-1, 48, 48, 3])
        config = self.client.get_model_config("fashion+encoded", as_json=True)["config"]
        self.assertEqual(config["input"][0]["data_type"], "TYPE_STRING")
        self.assertEqual(config["max_batch_size"], 8)

    def test_a_batch_of_files_gets_a_row_of_probabilities_each(self):
        files = [read(path) for path in SAMPLES[:8]]
        result = self.client.infer("fashion+encoded", [encoded_input(files)], request_id="id-1")
        rows = result.as_numpy("probabilities")
        self.assertEqual((rows.shape, rows.dtype), ((8, 10), np.float32))
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        self.assertEqual(result.get_response().id, "id-1")
        self.assertEqual(result.get_response().model_version, "1")
        # A picture's answer does not depend on its company.
        alone = self.client.infer("fashion+encoded", [encoded_input(files[:1])])
        np.testing.assert_array_equal(alone.as_numpy("probabilities")[0], rows[0])

    def test_typed_contents_mean_the_same_as_raw_ones(self):
        pixels = np.random.default_rng(1).integers(0, 256, (1, 48, 48, 3), np.uint8)
        raw = self.client.infer("fashion", [pixels_input(pixels)]).as_numpy("probabilities")
        request = triton.service_pb2.ModelInferRequest(model_name="fashion")
        tensor = request.inputs.add(name="pixels", datatype="UINT8", shape=pixels.shape)
        tensor.contents.uint_contents.extend(pixels.flatten().tolist())
        with grpc.insecure_channel(server.address) as channel:
            stub = triton.service_pb2_grpc.GRPCInferenceServiceStub(channel)
            typed = stub.ModelInfer(request).raw_output_contents[0]
        np.testing.assert_array_equal(np.frombuffer(typed, np.float32), raw[0])

    def test_classification_names_the_samples(self):
        output = triton.InferRequestedOutput("probabilities", class_count=1)
        right = 0
        for path in SAMPLES:
            result = self.client.infer("fashion+encoded", [encoded_input([read(path)])],
                                       outputs=[output])
            answer = result.as_numpy("probabilities")
            self.assertEqual(answer.shape, (1, 1))
            value, _, label = answer[0][0].decode().split(":")
            self.assertTrue(0 < float(value) <= 1)
            right += label.lower().replace(" ", "-") == label_of(path)
        self.assertGreaterEqual(right, 11)

    def test_what_image_client_does_names_the_samples(self):
        """One input, whose size and format the metadata tell; no scaling."""
        metadata = self.client.get_model_metadata("fashion")
        config = self.client.get_model_config("fashion").config
        self.assertEqual((len(metadata.inputs), len(metadata.outputs)), (1, 1))
        self.assertEqual(len(config.input), 1)
        self.assertEqual(config.input[0].format, 1)  # NHWC
        self.assertEqual(metadata.outputs[0].datatype, "FP32")
        self.assertGreater(config.max_batch_size, 0)
        _, height, width, channels = metadata.inputs[0].shape
        self.assertEqual(channels, 3)
        pictures = [
            np.asarray(Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR))
            for path in SAMPLES[:config.max_batch_size]]
        result = self.client.infer(
            "fashion", [pixels_input(np.stack(pictures))],
            outputs=[triton.InferRequestedOutput(metadata.outputs[0].name, class_count=3)])
        answers = result.as_numpy(metadata.outputs[0].name)
        self.assertEqual(answers.shape, (len(pictures), 3))
        best = [row[0].decode().split(":")[2].lower().replace(" ", "-") for row in answers]
        right = sum(b == label_of(p) for b, p in zip(best, SAMPLES))
        self.assertGreaterEqual(right, len(pictures) - 1)

    def test_a_stream_answers_in_order_and_survives_a_bad_picture(self):
        answers = []
        all_there = threading.Event()

        def callback(result, error):
            answers.append((result, error))
            if len(answers) == 5:
                all_there.set()

        good = read(SAMPLES[0])
        self.client.start_stream(callback)
        for i in range(5):
            file = b"no picture" if i == 2 else good
            self.client.async_stream_infer("fashion+encoded", [encoded_input([file])],
                                           request_id=str(i))
        self.assertTrue(all_there.wait(30))
        self.client.stop_stream()
        for i, (result, error) in enumerate(answers):
            if i == 2:
                self.assertIn("unknown_format: ", error.message())
            else:
                self.assertIsNone(error)
                self.assertEqual(result.get_response().id, str(i))

    def test_compressed_requests_are_taken(self):
        result = self.client.infer("fashion+encoded", [encoded_input([read(SAMPLES[0])])],
                                   compression_algorithm="gzip")
        self.assertEqual(result.as_numpy("probabilities").shape, (1, 10))

    def test_priority_and_timeout_are_taken(self):
        result = self.client.infer("fashion+encoded", [encoded_input([read(SAMPLES[0])])],
                                   priority=1, timeout=5_000_000, client_timeout=20,
                                   headers={"x-request": "1"})
        self.assertEqual(result.as_numpy("probabilities").shape, (1, 10))

    def test_errors_have_the_codes_and_texts_that_clients_look_for(self):
        client = self.client
        self.expect_refused("NOT_FOUND", "Request for unknown model",
                            lambda: client.get_model_metadata("wrong_model_name"))
        self.expect_refused("NOT_FOUND", "unknown_version",
                            lambda: client.get_model_metadata("fashion", "2"))
        self.expect_refused("INVALID_ARGUMENT", "bad_version",
                            lambda: client.is_model_ready("fashion", "v1"))
        self.expect_refused("INVALID_ARGUMENT", "1 to 8 pictures", lambda: client.infer(
            "fashion", [pixels_input(np.zeros((9, 48, 48, 3), np.uint8))]))
        self.expect_refused("INVALID_ARGUMENT", "[N, 48, 48, 3]", lambda: client.infer(
            "fashion", [pixels_input(np.zeros((1, 3, 48, 48), np.uint8))]))
        self.expect_refused("INVALID_ARGUMENT", "(picture 2 of 2)", lambda: client.infer(
            "fashion+encoded", [encoded_input([read(SAMPLES[0]), b"x"])]))
        self.expect_refused("UNAVAILABLE", "no_model_control",
                            lambda: client.load_model("fashion"))
        self.expect_refused("UNIMPLEMENTED", "", client.get_system_shared_memory_status)

    def test_statistics_grow_by_what_was_asked(self):
        def statistics():
            return self.client.get_inference_statistics("fashion+encoded").model_stats[0]

        before = statistics()
        files = [read(path) for path in SAMPLES[:3]]
        for _ in range(4):
            self.client.infer("fashion+encoded", [encoded_input(files)])
        after = statistics()
        self.assertEqual(after.inference_count - before.inference_count, 12)
        self.assertTrue(4 <= after.execution_count - before.execution_count <= 12)
        for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
            self.assertEqual(getattr(after.inference_stats, name).count -
                             getattr(before.inference_stats, name).count, 4)


class PerfAnalyzerTest(ClientTest):
    """The C++ client, in its two modes and with both kinds of input."""

    def measure(self, model, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            table = os.path.join(folder, "table.csv")
            pictures = os.path.join(folder, "pictures.json")
            if model.endswith("+encoded"):
                arguments += ("--input-data", pictures)
                with open(pictures, "w", encoding="utf-8") as file:
                    json.dump({"data": [self.encoded(path) for path in SAMPLES]}, file)
            before = self.successes(model)
            run = subprocess.run(
                [os.path.join(SITE, "bin/perf_analyzer"), "-m", model, "-u", server.address,
                 "-i", "grpc", "-a", "--measurement-interval", WINDOW_MS,
                 "--stability-percentage", "90", "--max-trials", "4", "-f", table, *arguments],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                env={**os.environ,
                     "LD_LIBRARY_PATH": os.path.join(SITE, "nvidia/cuda_runtime/lib")})
            self.assertEqual(run.returncode, 0, run.stdout)
            with open(table, encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 1, run.stdout)
        rate = float(rows[0]["Inferences/Second"])
        print(f"perf_analyzer {model} {' '.join(arguments[:2])}: {rate:.0f} pictures/s, "
              f"p50 {int(rows[0]['p50 latency']) / 1000:.1f} ms")
        self.assertGreater(rate, 0)
        # The server's own figures, which it subtracts from each other.
        self.assertGreater(int(rows[0]["Server Compute Infer"]), 0)
        self.assertGreater(self.successes(model), before)

    @staticmethod
    def encoded(path):
        file = read(path)
        element = struct.pack("<I", len(file)) + file
        return {"encoded": {"b64": base64.b64encode(element).decode(), "shape": [1]}}

    def successes(self, model):
        statistics = self.client.get_inference_statistics(model).model_stats[0]
        return statistics.inference_stats.success.count

    def test_concurrency_with_tensors_in_batches(self):
        self.measure("fashion", "--concurrency-range", "2", "-b", "4")

    def test_concurrency_with_files(self):
        self.measure("fashion+encoded", "--concurrency-range", "4")

    def test_a_rate_with_tensors(self):
        self.measure("fashion", "--request-rate-range", "40",
                     "--request-distribution", "poisson")

    def test_a_rate_with_files(self):
        self.measure("fashion+encoded", "--request-rate-range", "40",
                     "--request-distribution", "poisson")

    def test_streaming(self):
        self.measure("fashion+encoded", "--concurrency-range", "2", "--streaming")


class LoadTest(ClientTest):
    """Our own client, which loads any V2 server."""

    def load(self, model, *arguments):
        run = subprocess.run(
            [os.path.join(BIN, "groupmamba-client"), "load", "--protocol", "v2", "--target",
             server.address, "--model", model, "--concurrency", "2", "--duration", "0.5",
             "--warmup", "0", "--json", "-", *arguments],
            stdout=subprocess.PIPE, text=True, check=True)
        report = json.loads(run.stdout)
        self.assertEqual((report["model"], report["model_version"]), (model, 1))
        self.assertGreater(report["ok"], 0)
        self.assertEqual(report["failed"], 0)
        served = self.client.get_inference_statistics(model).model_stats[0]
        self.assertGreaterEqual(served.inference_stats.success.count, report["ok"])

    def test_files_and_pixels_are_answered(self):
        self.load("fashion+encoded", *SAMPLES)
        self.load("fashion", "--synthetic", "48x48", "--raw")


class EndTest(unittest.TestCase):
    def test_after_all_that_the_server_drains(self):
        self.assertEqual(server.stop(), 0)


try:
    server = programs.Server(BIN, "--models", os.path.join(ROOT, "models"))
except AssertionError as log:
    sys.exit(f"{log}0 passed, 1 failed")
load = unittest.defaultTestLoader.loadTestsFromTestCase
suite = unittest.TestSuite(map(load, (TritonClientTest, PerfAnalyzerTest, LoadTest, EndTest)))
result_of_all = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
server.kill()
failed = len(result_of_all.failures) + len(result_of_all.errors)
print(f"{result_of_all.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0)
