"""Random augmented views made where the model runs: the same crops as data.py, many at once, and stranger pictures among them."""

import math

import numpy as np
import torch
import torch.nn.functional as F

LUMA = (0.299, 0.587, 0.114)


def stack_images(images, device):
    """Images of one shorter side, lying (portraits transposed), padded to the longest: uint8 n x height x width x 3, widths, which are transposed."""
    upright = [i.shape[0] > i.shape[1] for i in images]
    lying = [i.transpose(1, 0, 2) if u else i for i, u in zip(images, upright)]
    height, width = lying[0].shape[0], max(i.shape[1] for i in lying)
    canvas = np.zeros((len(images), height, width, 3), np.uint8)
    for at, image in zip(canvas, lying):
        at[:, :image.shape[1]] = image
    widths = torch.tensor([i.shape[1] for i in lying], dtype=torch.float32)
    return torch.from_numpy(canvas).to(device), widths.to(device), torch.tensor(upright, device=device)


def bicubic_rows(start, length, inputs, size, limit):
    """Weights of Pillow's antialiased bicubic: batch x size x limit, from `start` on for `length` source pixels of `inputs`."""
    step = (length / size)[:, None, None]
    stretch = step.clamp(min=1)
    at = torch.arange(limit, device=start.device) + 0.5
    centre = start[:, None, None] + (torch.arange(size, device=start.device)[:, None] + 0.5) * step
    x = ((at - centre) / stretch).abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = torch.where(x < 1, near, torch.where(x < 2, far, 0)) * (at < inputs[:, None, None])
    return weights / weights.sum(-1, keepdim=True)


def resized_crops(pixels, widths, upright, size, smallest):
    """A random resized crop and flip of every image of `pixels` (batch x height x width x 3): f32, batch x 3 x size x size, 0 to 255."""
    batch, height, width = pixels.shape[:3]
    uniform = lambda low, high: torch.empty(batch, device=pixels.device).uniform_(low, high)
    heights = torch.full_like(widths, height)
    area, ratio = heights * widths * uniform(smallest, 1), uniform(math.log(3 / 4), math.log(4 / 3)).exp()
    w, h = torch.minimum(widths, (area * ratio).sqrt()), torch.minimum(heights, (area / ratio).sqrt())
    whole = uniform(0, 1) < 0.25  # the product's own crop: the shorter side, square
    w, h = torch.where(whole, heights, w), torch.where(whole, heights, h)
    left, top = uniform(0, 1) * (widths - w), uniform(0, 1) * (heights - h)
    across, down = bicubic_rows(left, w, widths, size, width), bicubic_rows(top, h, heights, size, height)
    half = torch.float16 if pixels.is_cuda else torch.float32
    planes = pixels.permute(0, 3, 1, 2).to(half)
    found = (down[:, None].to(half) @ planes @ across.transpose(1, 2)[:, None].to(half)).float().clamp(0, 255)
    found = torch.where(upright[:, None, None, None], found.transpose(2, 3), found)
    return torch.where((uniform(0, 1) < 0.5)[:, None, None, None], found.flip(3), found)


def grey(x):
    return (x * torch.tensor(LUMA, device=x.device)[:, None, None]).sum(1, keepdim=True)


def blur(x, sigma):
    """A Gaussian of 7x7 with one deviation an image."""
    taps = torch.exp(-0.5 * (torch.arange(-3, 4, device=x.device) / sigma[:, None]) ** 2)
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(3, 0)
    planes = F.pad(x, (3, 3, 3, 3), mode="replicate").flatten(0, 1)[None]
    planes = F.conv2d(planes, taps[:, None, None], groups=len(taps))
    return F.conv2d(planes, taps[:, None, :, None], groups=len(taps)).view_as(x)


def jitter(x):
    """Brightness, contrast and colour of 60 % of the images, each by a factor of .6 to 1.4."""
    batch, device = len(x), x.device
    factor = lambda: torch.where(some, torch.empty(batch, 1, 1, 1, device=device).uniform_(0.6, 1.4), 1)
    some = torch.rand(batch, 1, 1, 1, device=device) < 0.6
    x = (x * factor()).clamp(0, 255)
    mean = grey(x).mean((2, 3), keepdim=True)
    x = (mean + (x - mean) * factor()).clamp(0, 255)
    luma = grey(x)
    return (luma + (x - luma) * factor()).clamp(0, 255)


def strange(x, share):
    """A `share` of the images become greyscale, drawings, posters, negatives, blurred, noisy, or take another's colours."""
    batch, device = len(x), x.device
    draw = lambda low, high: torch.empty(batch, 1, 1, 1, device=device).uniform_(low, high)
    luma, soft = grey(x), blur(x, torch.empty(batch, device=device).uniform_(0.5, 2))
    edges = F.pad(grey(torch.where(draw(0, 1) < 0.5, soft, x)), (1, 1, 1, 1), mode="replicate")
    dx, dy = edges[:, :, 1:-1, 2:] - edges[:, :, 1:-1, :-2], edges[:, :, 2:, 1:-1] - edges[:, :, :-2, 1:-1]
    drawing = (255 - draw(1, 5) * (dx * dx + dy * dy).sqrt()).expand_as(x)
    step = 255 / draw(2, 6).round()
    other = torch.roll(x, 1, 0)
    mean, std = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
    coloured = (x - mean) / (std + 8) * (other.std((2, 3), keepdim=True) + 8) + other.mean((2, 3), keepdim=True)
    kinds = [(0.2, luma.expand_as(x)), (0.2, drawing), (0.15, (soft / step).round() * step), (0.05, 255 - x),
             (0.1, soft), (0.1, x + draw(5, 25) * torch.randn_like(x)), (0.2, coloured)]
    at, low = torch.rand(batch, 1, 1, 1, device=device), 0.0
    result = x
    for part, picture in kinds:
        result = torch.where((at >= low) & (at < low + part * share), picture, result)
        low += part * share
    return result.clamp(0, 255)


def mix(x, cut=0.2, blend=0.2):
    """A share `cut` has a rectangle from another image pasted in (CutMix), a share `blend` is an average with another (mixup)."""
    batch, size, device = len(x), x.shape[-1], x.device
    draw = lambda low, high: torch.empty(batch, 1, 1, 1, device=device).uniform_(low, high)
    at, other = draw(0, 1), torch.roll(x, 7, 0)
    h, w = draw(0.25, 0.75) * size, draw(0.25, 0.75) * size
    top, left = draw(0, 1) * (size - h), draw(0, 1) * (size - w)
    rows, columns = torch.arange(size, device=device)[:, None], torch.arange(size, device=device)
    inside = (rows >= top) & (rows < top + h) & (columns >= left) & (columns < left + w)
    own = draw(0.4, 0.9)
    mixed = torch.where(at < cut, torch.where(inside, other, x), x)
    return torch.where((at >= cut) & (at < cut + blend), own * x + (1 - own) * other, mixed)


def disturb(x, share=0.25):
    """Jitter, a `share` of strange pictures, and mixtures; whole levels."""
    return mix(strange(jitter(x), share)).round()


def views(groups, size, smallest=0.25, crops=resized_crops, disturb=disturb):
    """Views of a batch: `groups` of (pixels, widths, upright) as `stack_images` gives them, shuffled; f32, batch x 3 x size x size, 0 to 255.

    `crops` and `disturb` may be compiled forms of these functions.
    """
    x = torch.cat([crops(*group, size, smallest) for group in groups])
    return disturb(x[torch.randperm(len(x), device=x.device)])
