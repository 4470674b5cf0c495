"""Rounds weights to int8 so that a layer's outputs change least on real inputs (GPTQ: Frantar et al. 2023, algorithm 1)."""

import numpy as np
import torch
import torch.nn.functional as F

from student import Conv


@torch.no_grad()
def input_grams(student, pixels, batch=64):
    """X^T X of every layer's inputs over `pixels`, by layer: f64, inputs x inputs; a convolution's inputs are its 3x3 windows."""
    grams = {}

    def add(module, inputs):
        x = inputs[0]
        if isinstance(module, Conv):
            x = F.unfold(x, 3, padding=1, stride=module.stride).transpose(1, 2)
        x = x.reshape(-1, x.shape[-1])
        grams[module] = grams.get(module, 0) + (x.T @ x).double()

    hooks = [m.register_forward_pre_hook(add) for m in student.modules() if isinstance(m, (Conv, torch.nn.Linear))]
    for part in pixels.split(batch):
        student(part)
    for hook in hooks:
        hook.remove()
    return {module: gram.numpy() for module, gram in grams.items()}


def nearest(weight):
    """int8 codes and a scale for each row of `weight` (outputs x inputs), each value to its nearest."""
    scale = np.maximum(np.abs(weight).max(1, keepdims=True), 1e-8) / 127
    return np.clip(np.round(weight / scale), -127, 127), scale


def compensated(weight, gram, damping=0.01):
    """The same, input by input, what rounding one changes made up for by those that are still to come: largest inputs first."""
    codes, scale = nearest(weight)
    order = np.argsort(-np.diag(gram), kind="stable")
    gram = gram[np.ix_(order, order)] + damping * np.diag(gram).mean() * np.eye(len(gram))
    factor = np.linalg.cholesky(np.linalg.inv(gram)).T  # upper: row i tells what input i asks of the later ones
    left = weight[:, order].astype(np.float64)
    for i in range(left.shape[1]):
        code = np.clip(np.round(left[:, i] / scale[:, 0]), -127, 127)
        codes[:, order[i]] = code
        left[:, i:] -= np.outer((left[:, i] - code * scale[:, 0]) / factor[i, i], factor[i, i:])
    return codes, scale
