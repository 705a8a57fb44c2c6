#!/usr/bin/python3
"""The operators in Python: gradients against finite differences (gradcheck), what PyTorch
asks of an operator (opcheck: schema, autograd, shapes without values, compiled graphs),
and the module with the released names.

Usage: operators_test.py LIBRARY CHECKOUT SITE
PyTorch is fetched once into SITE, by the hashes in torch.lock; where it cannot be had, the
test says so and is skipped.
"""

import os
import sys
import unittest

LIBRARY, ROOT, SITE = sys.argv[1:4]
sys.path.insert(0, os.path.join(ROOT, "tests/testing"))
import wheels  # pylint: disable=wrong-import-position

missing = wheels.install(os.path.join(ROOT, "tests/python/torch.lock"), SITE)
if missing:
    print("[  SKIPPED ] 1 test: PyTorch could not be fetched:", missing)
    print("0 passed, 0 failed")
    sys.exit(0)

os.environ["GROUPMAMBA_TORCH_LIBRARY"] = LIBRARY
sys.path.insert(0, os.path.join(ROOT, "python"))
# pylint: disable=wrong-import-position
import groupmamba
import torch
import torch.nn.functional as F

DIRECTIONS = list(groupmamba.Direction)
BATCH, HEIGHT, WIDTH, D, RANK = 2, 2, 3, 4, 1


def leaf(*shape, dtype, scale=1.0, shift=0.0):
    return (torch.randn(*shape, dtype=dtype) * scale + shift).requires_grad_()


def core_arguments(dtype):
    parameters = [
        leaf(D, 1, 3, 3, dtype=dtype, scale=0.4), leaf(D, dtype=dtype, scale=0.4),
        leaf(1, RANK + 2, D, dtype=dtype, scale=0.5), leaf(1, D, RANK, dtype=dtype),
        leaf(1, D, dtype=dtype, shift=-1.0), leaf(D, 1, dtype=dtype, scale=0.5),
        leaf(D, dtype=dtype), leaf(D, dtype=dtype, scale=0.2, shift=1.0),
        leaf(D, dtype=dtype)]
    return leaf(BATCH, HEIGHT * WIDTH, 2 * D, dtype=dtype), parameters


def scan_arguments(dtype):
    tokens = HEIGHT * WIDTH
    a = (-torch.rand(D, dtype=dtype) - 0.1).requires_grad_()
    return (leaf(BATCH, tokens, D, dtype=dtype), leaf(BATCH, tokens, D, dtype=dtype),
            leaf(BATCH, tokens, dtype=dtype), leaf(BATCH, tokens, dtype=dtype), a,
            leaf(D, dtype=dtype), leaf(D, dtype=dtype))


def composed(mixer, x):
    """The module of PyTorch's operators, token by token."""
    batch, height, width, d = x.shape
    u, z = mixer.in_proj(x).chunk(2, -1)
    u = F.silu(mixer.conv2d(u.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    tokens = [(r, c) for r in range(height) for c in range(width)]
    if mixer.direction >= groupmamba.Direction.TOP_BOTTOM:
        tokens = [(r, c) for c in range(width) for r in range(height)]
    if mixer.direction % 2 == 1:
        tokens.reverse()
    rank = mixer.dt_projs_weight.shape[2]
    a, h, y = -torch.exp(mixer.A_logs[:, 0]), 0, {}
    for r, c in tokens:
        rates = u[:, r, c] @ mixer.x_proj_weight[0].T
        delta = F.softplus(
            rates[:, :rank] @ mixer.dt_projs_weight[0].T + mixer.dt_projs_bias[0])
        h = torch.exp(delta * a) * h + delta * rates[:, rank:rank + 1] * u[:, r, c]
        y[r, c] = rates[:, rank + 1:] * h + mixer.Ds * u[:, r, c]
    y = torch.stack([y[r, c] for r in range(height) for c in range(width)], 1)
    y = mixer.out_norm(y).view(batch, height, width, d) * F.silu(z)
    return mixer.out_proj(y)


class OperatorsTest(unittest.TestCase):

    def setUp(self):
        torch.manual_seed(1)

    def test_gradcheck_of_the_core(self):
        for direction in DIRECTIONS:
            xz, parameters = core_arguments(torch.float64)
            self.assertTrue(torch.autograd.gradcheck(
                lambda xz, *p, at=direction: groupmamba.ss2d_core(xz, p, HEIGHT, WIDTH, at),
                (xz, *parameters)))

    def test_gradcheck_of_the_scan(self):
        for direction in DIRECTIONS:
            self.assertTrue(torch.autograd.gradcheck(
                lambda *x, at=direction: groupmamba.selective_scan(*x, HEIGHT, WIDTH, at),
                scan_arguments(torch.float64)))

    def test_opcheck(self):
        for dtype in (torch.float32, torch.float64):
            torch.library.opcheck(
                torch.ops.groupmamba.ss2d_core.default,
                (*core_arguments(dtype), HEIGHT, WIDTH, 3, 1e-5))
            torch.library.opcheck(
                torch.ops.groupmamba.selective_scan.default,
                (*scan_arguments(dtype), HEIGHT, WIDTH, 2))
            torch.library.opcheck(
                torch.ops.groupmamba.depthwise_gelu.default,
                (leaf(BATCH, HEIGHT * WIDTH, D, dtype=dtype),
                 leaf(D, 1, 3, 3, dtype=dtype), leaf(D, dtype=dtype), HEIGHT, WIDTH))

    def test_opcheck_of_the_backward_operators(self):
        xz, parameters = core_arguments(torch.float32)
        with torch.no_grad():
            out, saved = torch.ops.groupmamba._ss2d_core_forward(
                xz, parameters, HEIGHT, WIDTH, 1, 1e-5, D)  # one state: few steps
            tests = ("test_schema", "test_faketensor")
            torch.library.opcheck(
                torch.ops.groupmamba._ss2d_core_forward.default,
                (xz, parameters, HEIGHT, WIDTH, 1, 1e-5, D), test_utils=tests)
            torch.library.opcheck(
                torch.ops.groupmamba._ss2d_core_backward.default,
                (torch.ones_like(out), xz, saved, parameters, HEIGHT, WIDTH, 1, 1e-5),
                test_utils=tests)
            torch.library.opcheck(
                torch.ops.groupmamba._selective_scan_backward.default,
                (torch.ones(BATCH, HEIGHT * WIDTH, D), *scan_arguments(torch.float32),
                 HEIGHT, WIDTH, 1), test_utils=tests)

    def test_the_module_is_the_composition_in_every_direction(self):
        for direction in DIRECTIONS:
            mixer = groupmamba.SS2D(19, direction).double()
            x = torch.randn(2, 3, 5, 19, dtype=torch.float64, requires_grad=True)
            leaves = [x, *mixer.parameters()]
            got, want = mixer(x), composed(mixer, x)
            weights = torch.randn_like(got)
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
            for g, w in zip(torch.autograd.grad((got * weights).sum(), leaves),
                            torch.autograd.grad((want * weights).sum(), leaves)):
                torch.testing.assert_close(g, w, rtol=1e-8, atol=1e-10)

    def test_the_module_has_the_released_names(self):
        shapes = {name: tuple(x.shape)
                  for name, x in groupmamba.SS2D(87, 0).state_dict().items()}
        self.assertEqual(shapes, {
            "in_proj.weight": (174, 87), "conv2d.weight": (87, 1, 3, 3), "conv2d.bias": (87,),
            "x_proj_weight": (1, 8, 87), "dt_projs_weight": (1, 87, 6),
            "dt_projs_bias": (1, 87), "A_logs": (87, 1), "Ds": (87,),
            "out_norm.weight": (87,), "out_norm.bias": (87,), "out_proj.weight": (87, 87)})

    def test_a_compiled_module_trains_to_the_same_gradients(self):
        mixer = groupmamba.SS2D(16, groupmamba.Direction.RIGHT_LEFT)
        x = torch.randn(2, 4, 4, 16)
        compiled = torch.compile(mixer, backend="aot_eager", fullgraph=True)
        for run in (mixer, compiled):
            mixer.zero_grad()
            run(x).square().sum().backward()
            gradients = [p.grad.clone() for p in mixer.parameters()]
            if run is mixer:
                want = gradients
        torch.testing.assert_close(gradients, want)

    def test_bits_do_not_depend_on_the_number_of_threads(self):
        mixer = groupmamba.SS2D(24, groupmamba.Direction.BOTTOM_TOP)
        x = torch.randn(5, 7, 6, 24)
        threads = torch.get_num_threads()

        def gradients(count):
            torch.set_num_threads(count)
            xz = mixer.in_proj(x).flatten(1, 2).detach().requires_grad_()
            parameters = [p for name, p in mixer.named_parameters() if "proj." not in name]
            ordered = [mixer.conv2d.weight, mixer.conv2d.bias, mixer.x_proj_weight,
                       mixer.dt_projs_weight, mixer.dt_projs_bias, mixer.A_logs, mixer.Ds,
                       mixer.out_norm.weight, mixer.out_norm.bias]
            self.assertEqual(len(parameters), len(ordered))
            out = groupmamba.ss2d_core(xz, ordered, 7, 6, mixer.direction)
            return [out, *torch.autograd.grad(out.square().sum(), [xz, *ordered])]

        want = gradients(1)
        for count in (2, 3):
            for g, w in zip(gradients(count), want):
                self.assertTrue(torch.equal(g, w))
        torch.set_num_threads(threads)

    def test_errors_say_what_is_wrong(self):
        xz, parameters = core_arguments(torch.float32)
        with self.assertRaisesRegex(RuntimeError, "xz must be"):
            groupmamba.ss2d_core(xz, parameters, HEIGHT, WIDTH + 1, 0)
        with self.assertRaisesRegex(RuntimeError, "direction must be"):
            groupmamba.ss2d_core(xz, parameters, HEIGHT, WIDTH, 4)
        with self.assertRaisesRegex(RuntimeError, "Ds must be"):
            parameters[6] = torch.ones(D + 1)
            groupmamba.ss2d_core(xz, parameters, HEIGHT, WIDTH, 0)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)
