"""How alike pictures of one class are to a model: cosines to the mean of a few others, over the named classes among the training images."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from data import load_images

SHARES = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97]
EXAMPLES = [1, 2, 3, 5, 10]
PICTURES, LEAST, ROUNDS = 25, 30, 4
NO_CLASS = ("flickr8k", "mixed", "coco", "scene15", "grey")  # scenes of anything, and greyscale twins of others


def class_pictures(folder, seed=0):
    """Some pictures of every class of `folder` that has enough: a list of lists."""
    rng, chosen = np.random.default_rng(seed), []
    for index in sorted(Path(folder).glob("*.json")):
        places = defaultdict(list)
        for name, offset, length in json.loads(index.read_text()):
            places[name].append((index.with_suffix(".bin"), offset, length))
        for name in sorted(places):
            if len(places[name]) >= LEAST and not any(word in name for word in NO_CLASS):
                chosen.append([places[name][i] for i in rng.permutation(len(places[name]))[:PICTURES]])
    pictures = iter(load_images([place for places in chosen for place in places]))
    return [[Image.fromarray(next(pictures)) for _ in places] for places in chosen]


def same_class_cosines(embed, folder, seed=0):
    """The manifest's `sameClass`. `embed` gives taps of a list of images; every class counts alike."""
    classes = []
    for pictures in class_pictures(folder, seed):
        first = embed(pictures)[:, 0].astype(np.float64)
        classes.append(first / np.linalg.norm(first, axis=1, keepdims=True))
    rng, table = np.random.default_rng(seed), []
    for examples in EXAMPLES:
        cosines, weights = [], []
        for rows in classes:
            for _ in range(ROUNDS):
                order = rng.permutation(len(rows))
                mean = rows[order[:examples]].mean(0)
                cosines.append(rows[order[examples:]] @ mean / np.linalg.norm(mean))
                weights.append(np.full(len(rows) - examples, 1 / (len(rows) - examples)))
        cosines, weights = np.concatenate(cosines), np.concatenate(weights)
        order = np.argsort(cosines)
        quantiles = np.interp(SHARES, np.cumsum(weights[order]) / weights.sum(), cosines[order])
        table.append({"examples": examples, "cosines": [round(float(q), 4) for q in quantiles]})
    return {"shares": SHARES, "byExamples": table}
