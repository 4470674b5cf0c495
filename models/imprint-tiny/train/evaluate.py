"""Judges model.onnx beside raw pixels, a colour histogram and DeiT-Tiny: few-shot accuracy, unknown AUROC, images a second."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from heads import few_shot, unit_taps, unknown_auroc
from photos import prepare, read_photos

HERE = Path(__file__).resolve().parent
DEIT = {"input": {"name": "pixel_values", "size": 224, "resize": 256, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}


def open_session(path, threads=0):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tensor(images, spec):
    """Photographs as the model's input, prepared like the product does."""
    pixels = np.stack([prepare(i, spec["resize"], spec["size"]) for i in images]).astype(np.float32) / 255
    return ((pixels - np.float32(spec["mean"])) / np.float32(spec["std"])).transpose(0, 3, 1, 2).copy()


def embed(session, images, spec, batch=50):
    return np.concatenate([session.run(["taps"], {"pixel_values": tensor(images[i:i + batch], spec)})[0] for i in range(0, len(images), batch)])


def raw_pixels(images):
    return np.stack([prepare(i, 32, 32) for i in images]).reshape(len(images), 1, -1) / 255 - 0.5


def colour_histogram(images):
    """Square roots of a joint histogram with six levels a channel."""
    found = []
    for image in images:
        levels = prepare(image, 64, 64).reshape(-1, 3).astype(int) * 6 // 256
        found.append(np.sqrt(np.bincount(levels @ [36, 6, 1], minlength=216)))
    return np.stack(found)[:, None]


def throughput(sessions, rounds=15):
    """Images a second on one thread, batches of 1 and of 8, the models taking turns; medians."""
    result = {}
    for batch in (1, 8):
        times = {name: [] for name in sessions}
        feeds = {name: np.random.default_rng(0).standard_normal((batch, 3, size, size), np.float32) for name, (_, size) in sessions.items()}
        for turn in range(rounds + 2):
            for name, (session, _) in sessions.items():
                began = time.perf_counter()
                session.run(["taps"], {"pixel_values": feeds[name]})
                times[name].append(time.perf_counter() - began)
        result[batch] = {name: batch / float(np.median(t[2:])) for name, t in times.items()}
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--shared", type=Path, default=HERE.parents[2] / "../shared")
    p.add_argument("--model", type=Path, default=HERE.parent)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--only", default="", help="judge only features whose name contains this")
    p.add_argument("--speed-only", action="store_true")
    args = p.parse_args()
    spec = json.loads((args.model / "manifest.json").read_text())["input"]
    deit = args.shared / "models/deit_tiny_patch16_224.onnx"

    speed = throughput({"imprint-tiny": (open_session(args.model / "model.onnx", 1), spec["size"]), "deit-tiny": (open_session(deit, 1), 224)})
    for batch, found in speed.items():
        print(f"batch {batch}, one thread, images/s:", {k: round(v, 1) for k, v in found.items()}, f"ratio {found['imprint-tiny'] / found['deit-tiny']:.2f}", flush=True)
    if args.speed_only:
        return

    ours, reference = open_session(args.model / "model.onnx"), open_session(deit)
    feature = {
        "raw pixels 32x32": raw_pixels,
        "colour histogram": colour_histogram,
        "imprint-tiny, first tap": lambda images: embed(ours, images, spec)[:, :1],
        "imprint-tiny, all taps": lambda images: embed(ours, images, spec),
        "deit-tiny, all taps": lambda images: embed(reference, images, DEIT["input"]),
    }
    sets = {"caltech101": read_photos(args.shared / "photos/caltech101"), "clothing": read_photos(args.shared / "photos/clothing"),
            "pacs": read_photos(args.shared / "photos/pacs", class_depth=2)}
    textures = read_photos(args.shared / "photos/textures")[0]
    for name, function in feature.items():
        if args.only not in name:
            continue
        unknown = unit_taps(function(textures))
        for kind, (images, y, _) in sets.items():
            x = unit_taps(function(images))
            for shots in (5, 20):
                row = {k: round(100 * v, 1) for k, v in few_shot(x, y, shots, args.seeds).items()}
                print(f"{name} | {kind} {shots}-shot |", row, "| unknown AUROC", round(unknown_auroc(x, y, unknown, shots, args.seeds), 3), flush=True)


if __name__ == "__main__":
    main()
