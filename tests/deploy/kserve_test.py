#!/usr/bin/python3
"""The kserve overlay held against KServe's own SDK: its types of resources, and its client, which
calls a server that was started as the ServingRuntime says.

Usage: kserve_test.py BIN_DIR CHECKOUT
"""

import copy
import glob
import os
import re
import sys
import tempfile
import types
import unittest

import support
from support import BIN, ROOT, of_kind, render

# pylint: disable=wrong-import-position
import wheels

SITE = os.path.join(BIN, "../kserve_sdk")
missing = wheels.install(os.path.join(ROOT, "tests/deploy/kserve.lock"), SITE)
if missing:
    print("[  SKIPPED ] 1 test: KServe's SDK could not be fetched:", missing)
    print("0 passed, 0 failed")
    sys.exit(0)

# Without its front door, which imports its servers and a client of Kubernetes, too.
sdk = types.ModuleType("kserve")
sdk.__path__ = [os.path.join(SITE, "kserve")]
sys.modules["kserve"] = sdk

import grpc
import numpy as np
import kserve.models
from kserve.constants.constants import PredictorProtocol
from kserve.inference_client import InferenceGRPCClient
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from kserve.protocol.infer_type import InferInput, InferRequest

OVERLAY = render(os.path.join(support.DEPLOY, "overlays/kserve"))
RUNTIME = of_kind(OVERLAY, "ServingRuntime")[0]
SERVICE = of_kind(OVERLAY, "InferenceService")[0]
SAMPLES = sorted(glob.glob(os.path.join(ROOT, "client/samples/*.png")))
PLAIN = {"str": str, "int": int, "bool": bool, "float": float}


def faults(value, kind, path=""):
    """What is wrong with a value of such a type, in sentences. Kubernetes' own types, which the
    SDK does not describe, are a pod's parts: manifests_test looks at those."""
    if kind in PLAIN:
        if type(value) is not PLAIN[kind]:  # pylint: disable=unidiomatic-typecheck
            yield f"{path} is no {kind}"
    elif found := re.fullmatch(r"(list|dict)(?:\[|\(str, )(.*)[\])]", kind):
        if not isinstance(value, {"list": list, "dict": dict}[found[1]]):
            yield f"{path} is no {found[1]}"
            return
        for key, one in enumerate(value) if found[1] == "list" else value.items():
            yield from faults(one, found[2], f"{path}[{key}]")
    elif described := getattr(kserve.models, kind, None):
        attributes = {key: name for name, key in described.attribute_map.items()}
        for key, one in value.items():
            if key in attributes:
                yield from faults(one, described.openapi_types[attributes[key]], f"{path}.{key}")
            else:
                yield f"{path} has no field {key}"
        # Their constructors refuse what lacks a field that must be there.
        try:
            described(**{attributes[key]: one for key, one in value.items() if key in attributes})
        except ValueError as error:
            yield f"{path}: {error}"


class ResourceTest(unittest.TestCase):
    def test_kserve_knows_every_field_and_its_type(self):
        self.assertEqual(list(faults(RUNTIME, "V1alpha1ServingRuntime")), [])
        self.assertEqual(list(faults(SERVICE, "V1beta1InferenceService")), [])

    def test_unknown_fields_wrong_types_and_what_lacks_are_found(self):
        service, runtime = copy.deepcopy((SERVICE, RUNTIME))
        service["spec"]["predictor"]["model"]["storageURI"] = "pvc://models"
        service["spec"]["predictor"]["minReplicas"] = "2"
        self.assertEqual(list(faults(service, "V1beta1InferenceService")),
                         [".spec.predictor.minReplicas is no int",
                          ".spec.predictor.model has no field storageURI"])
        del runtime["spec"]["containers"]
        self.assertEqual(len(list(faults(runtime, "V1alpha1ServingRuntime"))), 1)

    def test_service_and_runtime_fit_together(self):
        spec, model = RUNTIME["spec"], SERVICE["spec"]["predictor"]["model"]
        self.assertEqual(RUNTIME["apiVersion"], "serving.kserve.io/v1alpha1")
        self.assertEqual(SERVICE["apiVersion"], "serving.kserve.io/v1beta1")
        self.assertEqual(model["runtime"], RUNTIME["metadata"]["name"])
        self.assertIn(model["modelFormat"]["name"],
                      [known["name"] for known in spec["supportedModelFormats"]])
        self.assertEqual(model["protocolVersion"], PredictorProtocol.GRPC_V2.value)
        self.assertEqual(spec["protocolVersions"], [PredictorProtocol.GRPC_V2.value])
        self.assertRegex(model["storageUri"], "^(pvc|https|s3|gs|hf|oci)://")
        # Where KServe puts it, and what it calls a model's container and a port of gRPC's.
        container = spec["containers"][0]
        self.assertEqual(container["name"], "kserve-container")
        self.assertIn("--models=/mnt/models", container["args"])
        self.assertEqual([port["name"] for port in container["ports"]], ["h2c"])


def pixels_request(pixels, model="fashion"):
    tensor = InferInput("pixels", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    return InferRequest(model, [tensor], request_id="id-1")


def encoded_request(paths):
    files = []
    for path in paths:
        with open(path, "rb") as file:
            files.append([file.read()])
    tensor = InferInput("encoded", [len(files), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(files, dtype=object))
    return InferRequest("fashion+encoded", [tensor])


class ClientTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        container = RUNTIME["spec"]["containers"][0]
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        places = {"--config=/etc/groupmamba/settings.toml":
                  "--config=" + support.settings_file(folder.name),
                  "--models=/mnt/models": f"--models={ROOT}/models"}
        cls.server = support.Server(*(places[argument] for argument in container["args"]),
                                    "--health", "127.0.0.1:0", "--drain-linger-s", "0")
        cls.addClassCleanup(cls.server.kill)

    async def asyncSetUp(self):
        self.client = InferenceGRPCClient(self.server.address)

    async def asyncTearDown(self):
        await self.client.close()

    async def expect_refused(self, code, call):
        with self.assertLogs("kserve", "ERROR"), self.assertRaises(grpc.RpcError) as caught:
            await call
        self.assertEqual(caught.exception.code(), code)

    async def test_server_and_models_are_ready(self):
        self.assertTrue(await self.client.is_server_live())
        self.assertTrue(await self.client.is_server_ready())
        for model in ("fashion", "fashion+encoded"):
            self.assertTrue(await self.client.is_model_ready(model))
        await self.expect_refused(grpc.StatusCode.NOT_FOUND,
                                  self.client.is_model_ready("no-such-model"))

    async def test_metadata_tell_what_to_send(self):
        async with grpc.aio.insecure_channel(self.server.address) as channel:
            stub = GRPCInferenceServiceStub(channel)
            server = await stub.ServerMetadata(v2.ServerMetadataRequest())
            self.assertIn("statistics", server.extensions)
            model = await stub.ModelMetadata(v2.ModelMetadataRequest(name="fashion"))
        self.assertEqual((model.inputs[0].name, model.inputs[0].datatype), ("pixels", "UINT8"))
        self.assertEqual(list(model.inputs[0].shape), [-1, 48, 48, 3])

    async def test_files_and_pixels_are_inferred(self):
        answer = await self.client.infer(encoded_request(SAMPLES[:8]))
        rows = answer.outputs[0].as_numpy()
        self.assertEqual((answer.model_version, rows.shape, rows.dtype), ("1", (8, 10), np.float32))
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        answer = await self.client.infer(pixels_request(np.zeros((2, 48, 48, 3), np.uint8)))
        self.assertEqual((answer.id, answer.outputs[0].as_numpy().shape), ("id-1", (2, 10)))

    async def test_data_without_raw_bytes_mean_the_same(self):
        pixels = np.random.default_rng(1).integers(0, 256, (1, 48, 48, 3), np.uint8)
        request = pixels_request(pixels)
        raw = await self.client.infer(request)
        request.inputs[0].set_data_from_numpy(pixels, binary_data=False)
        typed = await self.client.infer(request)
        np.testing.assert_array_equal(raw.outputs[0].as_numpy(), typed.outputs[0].as_numpy())

    async def test_what_is_wrong_is_refused_with_its_code(self):
        wrong = pixels_request(np.zeros((1, 3, 48, 48), np.uint8))
        await self.expect_refused(grpc.StatusCode.INVALID_ARGUMENT, self.client.infer(wrong))
        unknown = pixels_request(np.zeros((1, 48, 48, 3), np.uint8), "no-such-model")
        await self.expect_refused(grpc.StatusCode.NOT_FOUND, self.client.infer(unknown))


support.run_tests(ResourceTest, ClientTest)
