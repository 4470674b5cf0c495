"""Builds the student's ONNX graph by hand: plain operators, f32 arithmetic, weights stored as int8 with one scale per channel."""

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from rounding import compensated, nearest
from student import DIM, FIRST, GRID, HEADS, SIZE

TOKENS = GRID * GRID + 1
TAP_NAMES = ["cls12", "cls11", "cls10", "cls9", "mean12", "mean10", "mean8"]


class Graph:
    """Collects nodes and initialisers; every method returns the name of what it adds."""

    def __init__(self, grams):
        self.grams, self.nodes, self.stored = grams, [], {}

    def node(self, op, *inputs, outputs=None, **attributes):
        outputs = outputs or [f"{op}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, list(inputs), outputs, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def store(self, name, value, dtype=np.float32):
        self.stored.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def ints(self, *values):
        return self.store("i_" + "_".join(map(str, values)), values, np.int64)

    def weight(self, name, module, value, shape, transpose=False):
        """Cast and Mul of an int8 constant: ONNX Runtime folds both while loading, so it costs nothing later.

        `value` is outputs x inputs; stored with `shape`, or transposed.
        """
        codes, scale = compensated(value, self.grams[module]) if module in self.grams else nearest(value)
        codes, scale = (codes.T, scale.T) if transpose else (codes.reshape(shape), scale.reshape(-1, *[1] * (len(shape) - 1)))
        wide = self.node("Cast", self.store(name + ".int8", codes, np.int8), to=TensorProto.FLOAT)
        return self.node("Mul", wide, self.store(name + ".scale", scale))

    def conv(self, name, x, module):
        """Convolution with its batch normalisation folded in."""
        norm = module.norm
        gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).numpy()
        weight = module.weight.numpy() * gain[:, None]
        bias = norm.bias.numpy() - norm.running_mean.numpy() * gain
        return self.node("Conv", x, self.weight(name + ".weight", module, weight, module.shape), self.store(name + ".bias", bias),
                         kernel_shape=[3, 3], strides=[module.stride] * 2, pads=[1, 1, 1, 1])

    def linear(self, name, x, module, gain=None, wide=False):
        weight, bias = module.weight.numpy(), module.bias.numpy()
        if gain is not None:
            weight, bias = weight * gain[:, None], bias * gain
        stored = self.store(name + ".weight", weight.T) if wide else self.weight(name + ".weight", module, weight, weight.shape, transpose=True)
        return self.node("Add", self.node("MatMul", x, stored), self.store(name + ".bias", bias))

    def layer_norm(self, name, x, module):
        return self.node("LayerNormalization", x, self.store(name + ".weight", module.weight.numpy()),
                         self.store(name + ".bias", module.bias.numpy()), axis=-1, epsilon=module.eps)

    def gelu(self, x):
        half, one, root = (self.store(n, v) for n, v in (("half", 0.5), ("one", 1.0), ("root_two", 2 ** 0.5)))
        erf = self.node("Add", self.node("Erf", self.node("Div", x, root)), one)
        return self.node("Mul", self.node("Mul", x, erf), half)

    def residual(self, name, x, module):
        inner = self.node("Relu", self.conv(name + ".a", x, module.a))
        return self.node("Relu", self.node("Add", x, self.conv(name + ".b", inner, module.b)))

    def trunk(self, x, trunk):
        x = self.node("Relu", self.conv("conv1", x, trunk.conv1))
        x = self.node("Relu", self.conv("conv2", x, trunk.conv2))
        x = self.residual("res3", self.node("Relu", self.conv("conv3", x, trunk.conv3)), trunk.res3)
        x = self.residual("res4", self.node("Relu", self.conv("conv4", x, trunk.conv4)), trunk.res4)
        x = self.node("Transpose", self.node("Reshape", x, self.ints(0, DIM, GRID * GRID)), perm=[0, 2, 1])
        cls = self.linear("summary", self.node("ReduceMean", x, axes=[1], keepdims=1), trunk.summary)
        tokens = self.node("Concat", cls, self.linear("tokens", x, trunk.tokens), axis=1)
        return self.node("Add", tokens, self.store("pos", trunk.pos.numpy()))

    def block(self, name, x, block):
        width = DIM // HEADS
        gain = np.concatenate([np.full(DIM, width ** -0.5), np.ones(2 * DIM)])  # the softmax scale, folded into the queries
        qkv = self.linear(name + ".qkv", self.layer_norm(name + ".norm1", x, block.norm1), block.attn.qkv, gain)
        parts = self.node("Split", qkv, self.ints(DIM, DIM, DIM), outputs=[f"{name}.{p}" for p in "qkv"], axis=-1)
        split = self.ints(0, TOKENS, HEADS, width)
        q, k, v = (self.node("Transpose", self.node("Reshape", p, split), perm=perm)
                   for p, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
        mixed = self.node("MatMul", self.node("Softmax", self.node("MatMul", q, k), axis=-1), v)
        mixed = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(0, TOKENS, DIM))
        x = self.node("Add", x, self.linear(name + ".proj", mixed, block.attn.proj))
        hidden = self.gelu(self.linear(name + ".fc1", self.layer_norm(name + ".norm2", x, block.norm2), block.fc1))
        return self.node("Add", x, self.linear(name + ".fc2", hidden, block.fc2))

    def cls(self, x):
        return self.node("Slice", x, self.ints(0), self.ints(1), self.ints(1))

    def mean(self, x):
        return self.node("ReduceMean", self.node("Slice", x, self.ints(1), self.ints(TOKENS), self.ints(1)), axes=[1], keepdims=1)


@torch.no_grad()
def build(student, grams=None):
    """The student as an ONNX model: `pixel_values` [batch, 3, SIZE, SIZE] to `taps` [batch, 7, DIM].

    `grams` (see rounding.py) tell how to round each layer's weights; without them each goes to its nearest code.
    """
    g = Graph(grams or {})
    states = [g.trunk("pixel_values", student.trunk)]
    for i, block in enumerate(student.blocks):
        states.append(g.block(f"block{FIRST + 1 + i}", states[-1], block))
    # Nearly diagonal: eight bits for the diagonal leave the rest too few, and 110 kB more are cheap.
    last = g.linear("out", g.layer_norm("norm", states[-1], student.norm), student.out, wide=True)
    taps = [g.cls(last), g.cls(states[-2]), g.cls(states[-3]), g.cls(states[-4]), g.mean(last), g.mean(states[-3]), g.mean(states[-5])]
    g.node("Concat", *taps, outputs=["taps"], axis=1)
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    output = helper.make_tensor_value_info("taps", TensorProto.FLOAT, ["batch", len(taps), DIM])
    graph = helper.make_graph(g.nodes, "imprint-tiny", [pixels], [output], list(g.stored.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="imprint-tiny")
