"""Reads the judging photographs (folders of classes) and prepares them exactly like the product: resize, centre crop."""

from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def prepare(image, resize, size):
    """Shorter side to `resize` (bicubic, antialiased), centre crop of `size`; uint8, size x size x 3."""
    width, height = image.size
    scale = resize / min(width, height)
    image = image.resize((max(size, round(width * scale)), max(size, round(height * scale))), Image.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def read_photos(folder, class_depth=1):
    """Opens every photograph under `folder` as RGB. Returns the images, class indices and class names."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    names = [p.relative_to(folder).parts[class_depth - 1] for p in paths]
    class_names = sorted(set(names))
    images = [Image.open(p).convert("RGB") for p in paths]
    return images, np.array([class_names.index(n) for n in names]), class_names
