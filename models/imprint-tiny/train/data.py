"""The distillation images, decoded once into memory, and random augmented views of them."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance


def list_images(folder, limit=None):
    """Where every image of the `.bin` + `.json` pairs in `folder` lies: (file, offset, length)."""
    return [(index.with_suffix(".bin"), offset, length) for index in sorted(Path(folder).glob("*.json"))
            for _, offset, length in json.loads(index.read_text())[:limit]]


def load_images(places):
    """Decodes the images at `places` to a list of uint8 arrays, height x width x 3."""
    blobs = {file: file.read_bytes() for file in {p[0] for p in places}}
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda p: np.asarray(Image.open(io.BytesIO(blobs[p[0]][p[1]:p[1] + p[2]])).convert("RGB")), places))


def hold_out(places, count, seed=0):
    """Splits off `count` images that are never trained on. Returns (training places, held-out places)."""
    order = np.random.default_rng(seed).permutation(len(places))
    return [places[i] for i in order[count:]], [places[i] for i in order[:count]]


def random_view(pixels, size, rng, smallest=0.3):
    """A random resized crop with flip, colour jitter and now and then greyscale: uint8, size x size x 3."""
    height, width = pixels.shape[:2]
    area = height * width * rng.uniform(smallest, 1)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    w, h = min(width, np.sqrt(area * ratio)), min(height, np.sqrt(area / ratio))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    view = Image.fromarray(pixels).resize((size, size), Image.BICUBIC, box=(left, top, left + w, top + h))
    if rng.random() < 0.5:
        view = view.transpose(Image.FLIP_LEFT_RIGHT)
    if rng.random() < 0.6:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            view = enhance(view).enhance(rng.uniform(0.6, 1.4))
    if rng.random() < 0.08:
        view = view.convert("L").convert("RGB")
    return np.asarray(view)


def random_views(images, picks, size, seed, mixed=0.2):
    """Views of `images[picks]`; a share `mixed` of them has a rectangle pasted in from its neighbour (CutMix)."""
    rngs = np.random.default_rng(seed).spawn(len(picks) + 1)
    with ThreadPoolExecutor() as pool:
        views = np.stack(list(pool.map(lambda i: random_view(images[picks[i]], size, rngs[i]), range(len(picks)))))
    rng, clean = rngs[-1], views.copy()
    for i in np.flatnonzero(rng.random(len(views)) < mixed):
        h, w = rng.integers(size // 4, size * 3 // 4, 2)
        top, left = rng.integers(0, size - h), rng.integers(0, size - w)
        views[i, top:top + h, left:left + w] = clean[i - 1, top:top + h, left:left + w]
    return views
