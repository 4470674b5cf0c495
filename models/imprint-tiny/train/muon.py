"""Muon (Jordan et al. 2024) for many matrices: those of one shape are made orthogonal together, in one batched product."""

from collections import defaultdict

import torch

COEFFICIENTS = (3.4445, -4.775, 2.0315)


def orthogonal(g, steps=5):
    """Newton-Schulz's quintic towards the nearest orthogonal matrices of `g`: n x rows x columns, in bf16."""
    a, b, c = COEFFICIENTS
    x = g.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + torch.baddbmm(b * gram, gram, gram, beta=1, alpha=c) @ x
    return x.transpose(1, 2) if tall else x


class BatchedMuon(torch.optim.Optimizer):
    """torch.optim.Muon with Nesterov momentum .95 and `match_rms_adamw`, in a tenth of its kernel launches."""

    def __init__(self, params, lr, weight_decay=0.02, momentum=0.95):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for shape, params in shapes.items():
                self._step_together(params, group, 0.2 * max(shape) ** 0.5)

    def _step_together(self, params, group, scale):
        grads = [p.grad for p in params]
        for p in params:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum"] for p in params]
        torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
        update = orthogonal(torch.stack(torch._foreach_lerp(grads, buffers, group["momentum"])))
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(params, list(update.to(params[0].dtype).unbind(0)), alpha=-group["lr"] * scale)
