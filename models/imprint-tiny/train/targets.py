"""What the teacher says about a view: its hidden states, pooled to the student's grid and brought to a common scale."""

import torch
import torch.nn.functional as F

from student import DEPTH, DIM, FIRST, GRID
from teacher import MEAN, STD


def normalise(views):
    """uint8 batch x side x side x 3 to f32 batch x 3 x side x side with the teacher's mean and deviation."""
    mean, std = torch.tensor(MEAN, device=views.device) * 255, torch.tensor(STD, device=views.device) * 255
    return ((views.float() - mean) / std).permute(0, 3, 1, 2)


def pool(tokens):
    """Patch tokens of the teacher's 14x14 grid averaged two by two; the class token stays: batch x 50 x DIM."""
    batch = len(tokens)
    grid = tokens[:, 1:].float().view(batch, GRID, 2, GRID, 2, DIM).mean((2, 4))
    return torch.cat([tokens[:, :1].float(), grid.view(batch, GRID * GRID, DIM)], 1)


@torch.no_grad()
def teacher_states(teacher, pixels, depth=DEPTH, dtype=torch.bfloat16, shift=0):
    """The teacher sees the student's own `pixels`, enlarged to 224 and moved by up to `shift` of them. Gives batch x (depth - FIRST + 1) x 50 x DIM."""
    enlarged = F.interpolate(pixels, (224, 224), mode="bicubic", align_corners=False)
    if shift:
        left, top = torch.randint(2 * shift + 1, (2,)).tolist()
        enlarged = F.pad(enlarged, (shift,) * 4, mode="replicate")[:, :, top:top + 224, left:left + 224]
    with torch.autocast(pixels.device.type, dtype):
        states = teacher(enlarged, depth)
    return torch.stack([pool(h) for h in states[FIRST:]], 1)


def mirrored_states(teacher, pixels, dtype=torch.bfloat16, shift=0):
    """The mean of `teacher_states` for `pixels` and for their mirror image, whose grid is turned back."""
    own, other = (teacher_states(teacher, x, dtype=dtype, shift=shift) for x in (pixels, pixels.flip(3)))
    grid = other[:, :, 1:].unflatten(2, (GRID, GRID)).flip(3).flatten(2, 3)
    return (own + torch.cat([other[:, :, :1], grid], 2)) / 2


class Scale(torch.nn.Module):
    """One mean and deviation per channel for all depths, and per depth the variance that errors are measured against."""

    def __init__(self):
        super().__init__()
        depths = DEPTH - FIRST + 1
        self.register_buffer("mean", torch.zeros(DIM))
        self.register_buffer("std", torch.ones(DIM))
        self.register_buffer("variance", torch.ones(depths, 2, DIM))

    @torch.no_grad()
    def measure(self, states):
        """Sets all figures from teacher states (views x depths x 50 x DIM)."""
        patches = states[:, :, 1:].float()
        self.mean.copy_(patches.mean((0, 1, 2)))
        self.std.copy_(patches.var((0, 2)).mean(0).sqrt())
        scaled = self(states)
        for kind, tokens in enumerate((scaled[:, :, :1], scaled[:, :, 1:])):
            variance = tokens.var((0, 2))
            self.variance[:, kind] = variance + 0.1 * variance.mean(-1, keepdim=True)

    def forward(self, states):
        return (states.float() - self.mean) / self.std

    def error(self, student, target, depth):
        """Mean squared error in units of the target's variance, of the class token and of the patch tokens."""
        squared = (student.float() - target) ** 2
        return (squared[:, 0] / self.variance[depth, 0]).mean(), (squared[:, 1:] / self.variance[depth, 1]).mean()
