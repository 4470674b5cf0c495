"""DeiT-Tiny as a frozen PyTorch module, its weights read from the ONNX file, at any input size that is a multiple of 16."""

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

from vit import Block

DIM, HEADS, DEPTH, PATCH = 192, 3, 12, 16
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Teacher(nn.Module):
    """Returns every hidden state: h[0] enters block 1, h[b] leaves block b; `finish` gives normed tokens and logits."""

    def __init__(self, onnx_path):
        super().__init__()
        self.patch = nn.Conv2d(3, DIM, PATCH, PATCH)
        self.cls = nn.Parameter(torch.zeros(1, 1, DIM))
        self.pos = nn.Parameter(torch.zeros(1, 197, DIM))
        self.blocks = nn.ModuleList(Block(DIM, HEADS, 4 * DIM) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(DIM, eps=1e-6)
        self.head = nn.Linear(DIM, 1000)
        self._read(onnx_path)
        self.requires_grad_(False).eval()

    def _read(self, onnx_path):
        stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(onnx_path).graph.initializer}
        with torch.no_grad():
            self.patch.weight.copy_(torch.from_numpy(np.array(stored["patch_w"])))
            self.patch.bias.copy_(torch.from_numpy(np.array(stored["patch_b"])))
            self.cls.copy_(torch.from_numpy(np.array(stored["cls"])))
            self.pos.copy_(torch.from_numpy(np.array(stored["pos"])))
            for name, module in self.named_modules():
                if not isinstance(module, (nn.Linear, nn.LayerNorm)):
                    continue
                key = name.replace(".fc", ".mlp.fc")
                weight = torch.from_numpy(np.array(stored[key + ".w"]))
                module.weight.copy_(weight.T if isinstance(module, nn.Linear) else weight)
                module.bias.copy_(torch.from_numpy(np.array(stored[key + ".b"])))

    def _positions(self, grid):
        if grid == 14:
            return self.pos
        patches = self.pos[:, 1:].reshape(1, 14, 14, DIM).permute(0, 3, 1, 2)
        patches = F.interpolate(patches.float(), (grid, grid), mode="bicubic", align_corners=False, antialias=False)
        return torch.cat([self.pos[:, :1], patches.permute(0, 2, 3, 1).reshape(1, grid * grid, DIM)], 1)

    def forward(self, pixels, depth=DEPTH):
        """`pixels`: batch x 3 x side x side, normalised with MEAN and STD. Gives the list h[0..depth]."""
        patches = self.patch(pixels).flatten(2).transpose(1, 2)
        grid = pixels.shape[-1] // PATCH
        h = torch.cat([self.cls.expand(len(patches), -1, -1).to(patches.dtype), patches], 1) + self._positions(grid).to(patches.dtype)
        states = [h]
        for block in self.blocks[:depth]:
            h = block(h)
            states.append(h)
        return states

    def finish(self, last):
        """Normed tokens of the last hidden state, and the logits of its class token."""
        normed = self.norm(last)
        return normed, self.head(normed[:, 0])


def teacher_taps(teacher, states):
    """The seven reference taps: class token of blocks 12 (normed), 11, 10, 9; patch mean of 12 (normed), 10, 8."""
    normed = teacher.norm(states[12])
    return torch.stack([normed[:, 0], states[11][:, 0], states[10][:, 0], states[9][:, 0],
                        normed[:, 1:].mean(1), states[10][:, 1:].mean(1), states[8][:, 1:].mean(1)], 1)
