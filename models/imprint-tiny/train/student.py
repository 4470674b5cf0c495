"""The student: a convolutional trunk to a 7x7 grid of tokens, then transformer blocks that each follow one teacher block."""

import torch
import torch.nn.functional as F
from torch import nn

from vit import Block

DIM, HEADS, GRID, SIZE = 192, 3, 7, 112
DEPTH, FIRST = 12, 3  # the trunk gives what the teacher has after block FIRST


class Conv(nn.Module):
    """A 3x3 convolution with batch normalisation; its weight is kept as a matrix, the form that Muon updates."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.shape, self.stride = (outputs, inputs, 3, 3), stride
        self.weight = nn.Parameter(torch.randn(outputs, inputs * 9) * (2 / (inputs * 9)) ** 0.5)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(F.conv2d(x, self.weight.view(self.shape), None, self.stride, 1))


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.a, self.b = Conv(channels, channels, 1), Conv(channels, channels, 1)
        nn.init.zeros_(self.b.norm.weight)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class Trunk(nn.Module):
    """Pixels to tokens: four strided convolutions with residual blocks; the class token starts from their mean."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = Conv(3, 32, 2), Conv(32, 64, 2)
        self.conv3, self.res3 = Conv(64, 128, 2), Residual(128)
        self.conv4, self.res4 = Conv(128, DIM, 2), Residual(DIM)
        self.tokens, self.summary = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.pos = nn.Parameter(torch.zeros(1, 1 + GRID * GRID, DIM))

    def forward(self, pixels):
        x = F.relu(self.conv2(F.relu(self.conv1(pixels))))
        x = F.relu(self.res3(F.relu(self.conv3(x))))
        x = F.relu(self.res4(F.relu(self.conv4(x))))
        x = x.flatten(2).transpose(1, 2)
        return torch.cat([self.summary(x.mean(1, keepdim=True)), self.tokens(x)], 1) + self.pos


class Student(nn.Module):
    """`states` gives the hidden states after the trunk and after every block; `forward` the taps that the product uses."""

    def __init__(self):
        super().__init__()
        self.trunk = Trunk()
        self.blocks = nn.ModuleList(Block(DIM, HEADS, 4 * DIM) for _ in range(DEPTH - FIRST))
        self.norm, self.out = nn.LayerNorm(DIM, eps=1e-6), nn.Linear(DIM, DIM)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.05)
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            nn.init.zeros_(block.attn.proj.weight)
            nn.init.zeros_(block.fc2.weight)

    def states(self, pixels):
        states = [self.trunk(pixels)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return states

    def forced(self, pixels, teacher_states):
        """Each block on the teacher's own state instead of the student's: every gradient path is one block long.

        Blocks learn fast this way and the trunk does not, so they get only a quarter of the batch.
        """
        rows = max(1, len(pixels) // 4)
        return [self.trunk(pixels)] + [block(t[:rows]) for block, t in zip(self.blocks, teacher_states)]

    def finish(self, last):
        """The last hidden state in the space of the teacher's normed output."""
        return self.out(self.norm(last))

    def forward(self, pixels):
        """Class token of blocks 12 (finished), 11, 10, 9, then patch mean of 12 (finished), 10, 8: batch x 7 x DIM."""
        states = self.states(pixels)
        last = self.finish(states[-1])
        tokens = [last[:, 0], states[-2][:, 0], states[-3][:, 0], states[-4][:, 0]]
        means = [last[:, 1:].mean(1), states[-3][:, 1:].mean(1), states[-5][:, 1:].mean(1)]
        return torch.stack(tokens + means, 1)
