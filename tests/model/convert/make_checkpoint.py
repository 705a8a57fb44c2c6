#!/usr/bin/env python3
"""Writes checkpoints as torch.save does, without PyTorch: the same zip entries and the
same pickle, of a GroupMamba whose tensors come out of a safetensors file.

    make_checkpoint.py LAYOUT IN.safetensors OUT.pth

LAYOUT: bare       an OrderedDict of tensors, with the _metadata that state_dict() has
        parallel   the same, each name beginning with "module.", each value a Parameter
        training   the authors' training checkpoint: model (all zeros), model_ema, an
                   optimizer, a scaler, a pickled argparse.Namespace and a CfgNode
        transposed bare, but every matrix is stored by columns
"""
import collections
import json
import pickle
import struct
import sys
import zipfile
from argparse import Namespace

COUNTERS = "num_batches_tracked"


class Named:
    """Stands for something of PyTorch's, which the pickle holds by its name."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    def __init__(self, data, dtype):
        self.data, self.dtype = data, dtype


class Tensor:
    def __init__(self, storage, shape, strides, parameter=False):
        self.storage, self.shape, self.strides, self.parameter = storage, shape, strides, parameter


class CfgNode(dict):  # as yacs has it: a dict with attributes
    pass


CLASSES = {"F32": "FloatStorage", "I64": "LongStorage"}
SIZES = {"F32": 4, "I64": 8}


class Pickler(pickle._Pickler):  # the one in Python, whose methods can be replaced
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.keys = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key = self.keys.setdefault(id(value), (str(len(self.keys)), value))[0]
        return ("storage", Named("torch", CLASSES[value.dtype]), key, "cpu",
                len(value.data) // SIZES[value.dtype])

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Named):
            self.write(b"c" + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Tensor):
            call = (value.storage, 0, tuple(value.shape), tuple(value.strides), False,
                    collections.OrderedDict())
            if not value.parameter:
                self.reduce("_rebuild_tensor_v2", call)
            else:
                plain = Tensor(value.storage, value.shape, value.strides)
                self.reduce("_rebuild_parameter", (plain, True, collections.OrderedDict()))
        else:
            super().save(value, save_persistent_id)

    def reduce(self, name, arguments):
        self.save(Named("torch._utils", name))
        self.save(arguments)
        self.write(pickle.REDUCE)


def read_safetensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    begin = 8 + length
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            yield name, entry["dtype"], entry["shape"], data[begin + first:begin + last]


def strides_of(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return strides


def tensor_of(dtype, shape, data, transposed):
    if not transposed or len(shape) != 2:
        return Tensor(Storage(data, dtype), shape, strides_of(shape))
    rows, columns = shape
    by_columns = b"".join(data[4 * (r * columns + c):][:4]
                          for c in range(columns) for r in range(rows))
    return Tensor(Storage(by_columns, dtype), shape, [1, rows])


def state_dict(path, prefix="", parameters=False, transposed=False, zeros=False):
    state = collections.OrderedDict()
    for name, dtype, shape, data in read_safetensors(path):
        if zeros:
            data = bytes(len(data))
        tensor = tensor_of(dtype, shape, data, transposed)
        tensor.parameter = parameters
        state[prefix + name] = tensor
        if name.endswith("running_var"):
            counter = prefix + name.replace("running_var", COUNTERS)
            state[counter] = Tensor(Storage(struct.pack("<q", 7), "I64"), [], [])
    state._metadata = collections.OrderedDict(version=1)
    return state


def training(path):
    config = CfgNode(MODEL=CfgNode(NAME="tiny"), DATA=CfgNode(IMG_SIZE=224))
    config.frozen = True
    # The optimizer knows the weights by number.
    moments = {number: {"step": 9, "exp_avg": tensor}
               for number, tensor in enumerate(state_dict(path, zeros=True).values())}
    return {"model": state_dict(path, zeros=True),
            "optimizer": {"state": moments, "param_groups": [{"lr": 5e-4, "betas": (0.9, 0.999)}]},
            "lr_scheduler": {"_last": 3, "big": 1 << 70}, "max_accuracy": 83.3,
            "scaler": {}, "epoch": 299, "config": config, "args": Namespace(lr=1e-3, tags={"a"}),
            "model_ema": state_dict(path), "max_accuray_ema": 83.4}


def main(layout, source, target):
    value = {"bare": lambda: state_dict(source),
             "parallel": lambda: state_dict(source, "module.", parameters=True),
             "training": lambda: training(source),
             "transposed": lambda: state_dict(source, transposed=True)}[layout]()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        import io
        program = io.BytesIO()
        pickler = Pickler(program)
        pickler.dump(value)
        archive.writestr("archive/data.pkl", program.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, storage in pickler.keys.values():
            archive.writestr(f"archive/data/{key}", storage.data)
        archive.writestr("archive/version", "3\n")


main(*sys.argv[1:])
