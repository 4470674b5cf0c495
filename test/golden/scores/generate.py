"""Golden numbers for packages/core/src/{scores,evaluation}: NumPy and scikit-learn on small seeded inputs.

Run: python3 test/golden/scores/generate.py   (NumPy, SciPy, scikit-learn; writes golden.json beside this file)
"""
import json
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve

rng = np.random.default_rng(20260101)
golden = {}


def flat(values):
    return [float(v) for v in np.asarray(values).ravel()]


# Ranks with ties: a coarse grid makes about half of the pairs equal or close.
known = np.round(rng.normal(0, 1, 180), 1)
unknown = np.round(rng.normal(1, 1.2, 130), 1)
truth = np.r_[np.zeros(180), np.ones(130)]
scores = np.r_[known, unknown]
# OpenOOD: known is the positive class and its score is the negative strangeness.
fpr, tpr, _ = roc_curve(1 - truth, -scores, drop_intermediate=False)
golden["detection"] = {
    "known": flat(known),
    "unknown": flat(unknown),
    "auroc": float(roc_auc_score(truth, scores)),
    "fpr95": float(fpr[np.argmax(tpr >= 0.95)]),
}

# Unequal classes; class 4 is never predicted and class 5 has no example.
y = rng.choice(6, 300, p=[0.4, 0.25, 0.2, 0.1, 0.05, 0])
p = np.where(rng.random(300) < 0.6, y, rng.choice([0, 1, 2, 3, 5], 300))
p[p == 4] = 0
precision, recall, f1, _ = precision_recall_fscore_support(y, p, labels=range(6), zero_division=0)
golden["confusion"] = {
    "trueIndices": [int(v) for v in y],
    "predictedIndices": [int(v) for v in p],
    "confusion": [int(v) for v in confusion_matrix(y, p, labels=range(6)).ravel()],
    "accuracy": float(accuracy_score(y, p)),
    "balancedAccuracy": float(balanced_accuracy_score(y[y < 5], p[y < 5])),
    "precision": flat(precision),
    "recall": flat(recall),
    "f1": flat(f1),
}

# Expected calibration error over 15 bins (from, to], by numpy.digitize rather than by a formula for the bin.
confidence = np.round(rng.beta(3, 1.3, 400), 3)
correct = (rng.random(400) < confidence**1.5).astype(int)
bins = np.digitize(confidence, np.linspace(0, 1, 16)[1:-1], right=True)
ece = sum(abs(confidence[bins == b].mean() - correct[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
golden["calibration"] = {"confidences": flat(confidence), "correct": [int(v) for v in correct], "expectedCalibrationError": float(ece)}


# MemAE, equations 3 to 8, with the hard shrinkage of equation 7 as it is printed.
def address(similarities, temperature, threshold):
    w = softmax(temperature * similarities)
    v = np.maximum(w - threshold, 0) * w / (np.abs(w - threshold) + 1e-12)
    return v / np.abs(v).sum()


similarities = np.tanh(rng.normal(0, 0.6, 40))
golden["addressing"] = {
    "similarities": flat(similarities),
    "cases": [
        {"temperature": t, "threshold": s, "weights": flat(address(similarities, t, s))}
        for t, s in [(4, 1 / 40), (8, 1 / 40), (8, 3 / 40), (12, 1 / 40), (32, 0.01)]
    ],
}

# Novelty on codes: 5 classes, 1 tap of 12; queries from the classes and from nowhere.
dim, counts = 12, [4, 3, 5, 1, 2]
labels = np.repeat(np.arange(5), counts)
centres = rng.normal(0, 1, (5, dim))
scale = np.sqrt(dim) * 127 / 6


def codes(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.clip(np.round(x * scale), -127, 127)


X = codes(centres[labels] + 0.6 * rng.normal(0, 1, (len(labels), dim)))
Q = codes(np.r_[centres + 0.6 * rng.normal(0, 1, (5, dim)), rng.normal(0, 1, (5, dim))])
means = np.array([X[labels == k].mean(0) for k in range(5)])
ridge = scale**2 / 2


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def metric(centred):
    return np.linalg.inv(centred.T @ centred + ridge * np.eye(dim))


def mahalanobis(q, centre, inverse, weight, count):
    return weight * (q - centre) @ inverse @ (q - centre) * count / (count + 1)


within, total = metric(X - means[labels]), metric(X - X.mean(0))
root = np.linalg.cholesky(within)
white, whiteMeans = unit(Q @ root), unit(means @ root)
novelty = {"cosine-prototype": 1 - (unit(Q) @ unit(means).T).max(1)}
novelty["nearest-5-examples"] = 1 - np.sort(unit(Q) @ unit(X).T, axis=1)[:, -5]
weight = len(X) - 5 + dim
d = np.array([min(mahalanobis(q, means[k], within, weight, counts[k]) for k in range(5)) for q in Q])
d0 = np.array([mahalanobis(q, X.mean(0), total, len(X) - 1 + dim, len(X)) for q in Q])
novelty["mahalanobis++"] = d
novelty["relative-mahalanobis++"] = d - d0
residual = np.sqrt([ridge / scale**2 * (q - X.mean(0)) @ total @ (q - X.mean(0)) for q in Q])
novelty["virtual-logit"] = 20 * residual - np.log(np.exp(20 * unit(Q) @ unit(means).T).sum(1))


def rebuild(queries, items, temperature):
    return np.array([address(items @ q, temperature, 1 / len(items)) @ items for q in queries])


novelty["sparse-memory"] = ((unit(Q) - rebuild(unit(Q), unit(means), 8)) ** 2).sum(1)
rebuilt = unit(rebuild(white, whiteMeans, 12))
novelty["whitened-memory"] = 1 - (white @ whiteMeans.T).max(1) + 1 - (white * rebuilt).sum(1)
golden["novelty"] = {
    "dim": dim,
    "codes": [int(v) for v in X.ravel()],
    "classIndices": [int(v) for v in labels],
    "queries": [int(v) for v in Q.ravel()],
    "strangeness": {name: flat(values) for name, values in novelty.items()},
}

# Continual learning: R[t, i], and Chaudhry et al. 2018, Lopez-Paz & Ranzato 2017 by plain loops.
R = np.round(rng.random((4, 4)), 3)
chance = np.round(rng.random(4), 3)
golden["forgetting"] = {
    "accuracies": flat(R),
    "chance": flat(chance),
    "averageIncrementalAccuracy": float(np.mean([R[t, : t + 1].mean() for t in range(4)])),
    "finalAccuracy": float(R[3].mean()),
    "backwardTransfer": float(np.mean([R[3, i] - R[i, i] for i in range(3)])),
    "forwardTransfer": float(np.mean([R[i - 1, i] - chance[i] for i in range(1, 4)])),
    "forgetting": float(np.mean([max(R[t, i] for t in range(i, 3)) - R[3, i] for i in range(3)])),
}

out = Path(__file__).with_name("golden.json")
out.write_text(json.dumps(golden) + "\n")
print(f"{out.name}: {out.stat().st_size} bytes")
