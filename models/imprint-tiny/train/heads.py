"""The simple heads that judge frozen features: cosine prototypes, kernel ridge, shrunk discriminant, and their blend."""

import numpy as np


def unit_taps(taps):
    """`taps`: examples x taps x dim. Each tap to unit length, side by side: examples x (taps * dim)."""
    taps = np.asarray(taps, np.float64)
    taps = taps / np.maximum(np.linalg.norm(taps, axis=-1, keepdims=True), 1e-12)
    return taps.reshape(len(taps), -1)


def class_means(x, y, num_classes):
    return np.stack([x[y == c].mean(0) for c in range(num_classes)])


def ncm(x, y, z, num_classes):
    """Cosine to each class mean."""
    means = class_means(x, y, num_classes)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return z @ means.T / np.linalg.norm(z, axis=1, keepdims=True)


def arc_cosine(a, b):
    """k(a, b) = |a||b| (sin t + (pi - t) cos t) / 2pi, t the angle: random ReLU features at infinite width."""
    scale = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None]
    cosine = np.clip(a @ b.T / scale, -1, 1)
    t = np.arccos(cosine)
    return scale * (np.sin(t) + (np.pi - t) * cosine) / (2 * np.pi)


def kernel_ridge(x, y, z, num_classes):
    """(K + lambda I) a = Y; lambda by exact leave-one-out accuracy, ties by squared error, from one eigendecomposition."""
    targets = np.eye(num_classes)[y]
    values, vectors = np.linalg.eigh(arc_cosine(x, x))
    rotated = vectors.T @ targets
    best = None
    for lam in np.mean(values) * 10.0 ** np.arange(-5, 2.01, 0.25):
        inverse = 1 / (np.maximum(values, 0) + lam)
        dual = vectors @ (inverse[:, None] * rotated)
        left_out = targets - dual / ((vectors ** 2) @ inverse)[:, None]
        rank = (-(left_out.argmax(1) == y).mean(), ((left_out - targets) ** 2).mean())
        if best is None or rank < best[0]:
            best = (rank, dual)
    return arc_cosine(z, x) @ best[1]


def discriminant(x, y, z, num_classes):
    """Shared-covariance discriminant with GDA's shrinkage, P = d [(n-1) S + tr(S) I]^-1."""
    means = class_means(x, y, num_classes)
    centred = x - means[y]
    n, d = x.shape
    covariance = centred.T @ centred / max(n - 1, 1)
    precision = np.linalg.inv((n - 1) * covariance + np.trace(covariance) * np.eye(d)) * d
    weights = precision @ means.T
    return z @ weights - 0.5 * (means * weights.T).sum(1)


def standardise(scores):
    return (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)


def all_heads(x, y, z, num_classes):
    """Scores of every head for the queries `z`, given training rows `x` with class indices `y`."""
    scores = {"ncm": ncm(x, y, z, num_classes), "krr": kernel_ridge(x, y, z, num_classes), "gda": discriminant(x, y, z, num_classes)}
    scores["blend"] = standardise(scores["krr"]) + standardise(scores["gda"])
    return scores


def split(y, shots, seed):
    """`shots` random training rows of every class; all other rows are tested."""
    rng = np.random.default_rng(seed)
    train = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:shots] for c in range(y.max() + 1)])
    return train, np.setdiff1d(np.arange(len(y)), train)


def few_shot(features, y, shots, seeds=5):
    """Mean test accuracy of each head over `seeds` random splits."""
    num_classes, found = y.max() + 1, {}
    for seed in range(seeds):
        train, test = split(y, shots, seed)
        for name, scores in all_heads(features[train], y[train], features[test], num_classes).items():
            found.setdefault(name, []).append((scores.argmax(1) == y[test]).mean())
    return {name: float(np.mean(v)) for name, v in found.items()}


def auroc(known, unknown):
    """Chance that a known score exceeds an unknown one, ties counting half."""
    order = np.concatenate([known, unknown])
    ranks = np.empty(len(order))
    values, inverse, counts = np.unique(order, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = ((ends - counts + 1 + ends) / 2)[inverse]
    n, m = len(known), len(unknown)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def unknown_auroc(features, y, unknown, shots, seeds=5):
    """AUROC of the cosine to the nearest class prototype, known test photographs against unknown ones."""
    found = []
    for seed in range(seeds):
        train, test = split(y, shots, seed)
        known = ncm(features[train], y[train], features[test], y.max() + 1).max(1)
        strange = ncm(features[train], y[train], unknown, y.max() + 1).max(1)
        found.append(auroc(known, strange))
    return float(np.mean(found))
