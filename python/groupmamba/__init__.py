"""GroupMamba's kernels as PyTorch operators: with gradients, deterministic to the bit
whatever the number of threads, known to torch.compile.

    import torch, groupmamba
    mixer = groupmamba.SS2D(64, groupmamba.Direction.TOP_BOTTOM)
    y = mixer(torch.randn(8, 56, 56, 64))

Importing loads libgroupmamba_torch.so: the one that GROUPMAMBA_TORCH_LIBRARY
names, else the one of the installation that this module is part of. It must have
been built against the PyTorch that runs (cmake/deps.lock has the version).

float32 runs on AVX-512, AVX2 or any processor; float64 is there for gradcheck, and
slow. There are no second derivatives. Under autocast the operators compute in float32.

On CUDA tensors ss2d_core is kernels of ours where the library was built with CUDA (no GPU
has run them yet), float32 or bfloat16 with parameters in float32; everything else there is
PyTorch's own operators.
"""

import enum
import math
import os
from typing import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Direction", "SS2D", "depthwise_gelu", "selective_scan", "ss2d_core"]


def _load() -> None:
    named = os.environ.get("GROUPMAMBA_TORCH_LIBRARY")
    installed = os.path.join(os.path.dirname(__file__), "../../libgroupmamba_torch.so")
    path = named or installed
    if not os.path.exists(path):
        raise ImportError(
            f"groupmamba: there is no {path}; set GROUPMAMBA_TORCH_LIBRARY to the "
            "libgroupmamba_torch.so that was built (build/release/lib)")
    torch.ops.load_library(path)


_load()


class Direction(enum.IntEnum):
    """The order in which a scan visits the tokens of a picture."""
    LEFT_RIGHT = 0  # row by row
    RIGHT_LEFT = 1  # the reverse of it
    TOP_BOTTOM = 2  # column by column
    BOTTOM_TOP = 3  # the reverse of it


def selective_scan(u: Tensor, delta: Tensor, b: Tensor, c: Tensor, a: Tensor, d: Tensor,
                   delta_bias: Tensor, height: int, width: int,
                   direction: Direction) -> Tensor:
    """The selective scan with one state a channel, [batch, tokens, channels]:

        D_t = softplus(delta_t + delta_bias)
        h_t = exp(D_t a) h_(t-1) + D_t b_t u_t;   y_t = c_t h_t + d u_t

    u, delta: [batch, tokens, channels], row-major tokens, height * width of them;
    b, c: [batch, tokens]; a (negative), d, delta_bias: [channels].
    """
    return torch.ops.groupmamba.selective_scan(
        u, delta, b, c, a, d, delta_bias, height, width, int(direction))


def ss2d_core(xz: Tensor, parameters: Sequence[Tensor], height: int, width: int,
              direction: Direction, epsilon: float = 1e-5) -> Tensor:
    """Everything of an SS2D between in_proj and out_proj: depthwise convolution, SiLU,
    projections, scan, norm and gate. xz: [batch, tokens, 2 d], what in_proj gives; returns
    [batch, tokens, d]. For the gradient xz is kept, and a 64th of it more.

    parameters, R being the rank of Delta: conv2d.weight [d, 1, 3, 3], conv2d.bias [d],
    x_proj_weight [1, R + 2, d], dt_projs_weight [1, d, R], dt_projs_bias [1, d],
    A_logs [d, 1], Ds [d], out_norm.weight [d], out_norm.bias [d]. epsilon is out_norm's.
    """
    return torch.ops.groupmamba.ss2d_core(
        xz, list(parameters), height, width, int(direction), epsilon)


def depthwise_gelu(x: Tensor, weight: Tensor, bias: Tensor, height: int,
                   width: int) -> Tensor:
    """gelu of a 3x3 depthwise convolution with zeros around the picture, in one pass.
    x: [batch, tokens, channels]; weight: [channels, 1, 3, 3]; bias: [channels]."""
    return torch.ops.groupmamba.depthwise_gelu(x, weight, bias, height, width)


class SS2D(nn.Module):
    """The token mixer of one channel group in one direction, with the names, shapes and
    defaults of the released code: its state dicts load here and the other way round."""

    def __init__(self, channels: int, direction: Direction, rank: int = 0):
        """rank: that of Delta; 0: channels / 16, rounded up."""
        super().__init__()
        d = channels
        rank = rank or math.ceil(d / 16)
        self.direction = Direction(direction)
        self.in_proj = nn.Linear(d, 2 * d, bias=False)
        self.conv2d = nn.Conv2d(d, d, 3, padding=1, groups=d)
        self.x_proj_weight = nn.Parameter(torch.randn(1, rank + 2, d) / math.sqrt(d))
        self.dt_projs_weight = nn.Parameter(
            (2 * torch.rand(1, d, rank) - 1) / math.sqrt(rank))
        # softplus of the bias is log-uniform in [0.001, 0.1].
        steps = torch.exp(torch.empty(1, d).uniform_(math.log(1e-3), math.log(0.1)))
        self.dt_projs_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))
        self.A_logs = nn.Parameter(torch.zeros(d, 1))
        self.Ds = nn.Parameter(torch.ones(d))
        self.out_norm = nn.LayerNorm(d)
        self.out_proj = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, height, width, channels] to the same."""
        batch, height, width, d = x.shape
        parameters = [
            self.conv2d.weight, self.conv2d.bias, self.x_proj_weight, self.dt_projs_weight,
            self.dt_projs_bias, self.A_logs, self.Ds, self.out_norm.weight,
            self.out_norm.bias]
        xz = self.in_proj(x).reshape(batch, height * width, 2 * d)
        y = ss2d_core(xz, parameters, height, width, self.direction, self.out_norm.eps)
        return self.out_proj(y).view(batch, height, width, d)
