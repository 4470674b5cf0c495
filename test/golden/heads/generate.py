"""Golden numbers for the heads, from NumPy, SciPy and scikit-learn: python3 generate.py > heads.json

Independent of the TypeScript: every formula is written out from its paper or taken from the library named beside it.
Versions used are in the output.
"""

import json
import sys

import numpy as np
import scipy
import sklearn
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import NearestNeighbors

TAPS, DIM = 2, 6
WIDTH = TAPS * DIM
SCALE = np.sqrt(DIM) * 127 / 6
RNG = np.random.default_rng(20261123)


def make(counts):
    """Codes as Imprint stores them: every tap of unit length, times sqrt(dim) * 127 / 6, rounded."""
    centres = RNG.standard_normal((len(counts), TAPS, DIM))
    rows = np.concatenate([c + 0.9 * RNG.standard_normal((n, TAPS, DIM)) for c, n in zip(centres, counts)])
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    codes = np.clip(np.floor(rows * SCALE + 0.5), -127, 127).astype(int)
    return codes.reshape(-1, WIDTH), np.repeat(np.arange(len(counts)), counts)


def unit(codes):
    """Both taps alike, an embedding about one long."""
    return codes / SCALE / np.sqrt(TAPS)


def scatter(x, y):
    z = x - np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])[y]
    return z, z.T @ z


def discriminant(x, y, queries, precision):
    means = np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])
    return queries @ precision @ means.T - 0.5 * np.einsum("cd,de,ce->c", means, precision, means)


def arc_cosine(a, b):
    lengths = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    t = np.arccos(np.clip(a @ b.T / lengths, -1, 1))
    return lengths * (np.sin(t) + (np.pi - t) * np.cos(t)) / (2 * np.pi)


def kernel_ridge(k, kq, y, relative, loo=True):
    """scikit-learn's KernelRidge with class-balancing sample weights; leave-one-out by refitting."""
    classes = y.max() + 1
    w = len(y) / (classes * np.bincount(y)[y])
    alpha = relative * (np.diag(k) * w).sum() / len(y)
    targets = np.eye(classes)[y]
    fit = lambda rows: KernelRidge(alpha=alpha, kernel="precomputed").fit(
        k[np.ix_(rows, rows)], targets[rows], sample_weight=w[rows]
    )
    every = np.arange(len(y))
    out = {"scores": fit(every).predict(kq)}
    if loo:
        rest = [np.delete(every, i) for i in every]
        out["leaveOneOut"] = np.stack([fit(r).predict(k[i : i + 1, r])[0] for i, r in zip(every, rest)])
    return out


class Bits:
    """xoshiro128** seeded by splitmix32, in Python's integers."""

    def __init__(self, seed):
        self.state = seed
        self.s = [self.split() for _ in range(4)]

    def split(self):
        m = 0xFFFFFFFF
        self.state = (self.state + 0x9E3779B9) & m
        z = self.state ^ (self.state >> 16)
        z = (z * 0x21F0AAAD) & m
        z ^= z >> 15
        z = (z * 0x735A2D97) & m
        return z ^ (z >> 15)

    def next(self):
        m = 0xFFFFFFFF
        rot = lambda x, k: ((x << k) | (x >> (32 - k))) & m
        a, b, c, d = self.s
        result = (rot((b * 5) & m, 7) * 9) & m
        t = (b << 9) & m
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= t
        self.s = [a, b, c, rot(d, 11)]
        return result


def rademacher(features, width, seed):
    bits, flat = Bits(seed), []
    while len(flat) < features * width:
        word = bits.next()
        flat += [1 if word >> k & 1 else -1 for k in range(32)]
    return np.array(flat[: features * width]).reshape(features, width)


def main():
    codes, y = make([5, 9, 3, 7])
    queries, _ = make([3, 3])
    x, q = unit(codes), unit(queries)
    n, classes = len(y), y.max() + 1
    out = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
        "codes": codes.ravel(),
        "owners": y,
        "queries": queries.ravel(),
    }

    # GDA (Wang et al., ICLR 2024): P = d [(n - 1) S + tr(S) I]^-1, S the unbiased pooled covariance.
    z, within = scatter(x, y)
    s = within / (n - 1)
    out["gda"] = discriminant(x, y, q, WIDTH * np.linalg.inv((n - 1) * s + np.trace(s) * np.eye(WIDTH)))

    # OAS (Chen et al. 2010, equation 23) with n - C degrees of freedom.
    dof, tr, tr2 = n - classes, np.trace(within), (within**2).sum()
    rho = min(1, ((1 - 2 / WIDTH) * tr2 + tr**2) / ((dof + 1 - 2 / WIDTH) * (tr2 - tr**2 / WIDTH)))
    cov = within / n
    out["oas"] = {
        "intensity": rho,
        "scores": discriminant(x, y, q, np.linalg.inv((1 - rho) * cov + rho * np.trace(cov) / WIDTH * np.eye(WIDTH))),
    }
    out["ledoitWolf"] = {"intensity": ledoit_wolf_shrinkage(z, assume_centered=True)}

    # scikit-learn's LDA, on classes of one size: there its average of class covariances is the pooled one.
    even, ye = make([6, 6, 6])
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=np.ones(3) / 3).fit(unit(even), ye)
    out["lda"] = {
        "codes": even.ravel(),
        "owners": ye,
        "scores": lda.decision_function(q) - np.log(1 / 3),
    }

    k, kq = arc_cosine(x, x), arc_cosine(q, x)
    out["arcCosineRidge"] = [{"lambda": l, **kernel_ridge(k, kq, y, l)} for l in (0.01, 0.3)]
    out["linearRidge"] = {"lambda": 0.05, **kernel_ridge(x @ x.T, q @ x.T, y, 0.05)}

    # RanPAC (equations 4 and 6) at a fixed projection, requantised as Imprint does it.
    features = 32
    weights = rademacher(features, WIDTH, 1)
    shift = max(0, round(np.log2(SCALE * np.sqrt(TAPS) / 18)))
    project = lambda c: np.minimum(np.maximum(c @ weights.T, 0) >> shift, 127)
    f, fq = project(codes).astype(float), project(queries).astype(float)
    out["projected"] = {
        "features": features,
        "lambda": 0.1,
        "codes": project(queries).ravel(),
        **kernel_ridge(f @ f.T, fq @ f.T, y, 0.1, loo=False),
    }

    # k nearest by cosine, votes exp(cos / 0.07), logarithms of their sums.
    near = NearestNeighbors(n_neighbors=5, metric="cosine").fit(x)
    distance, index = near.kneighbors(q)
    votes = np.full((len(q), classes), -np.inf)
    for c in range(classes):
        masked = np.where(y[index] == c, (1 - distance) / 0.07, -np.inf)
        found = np.isfinite(masked).any(1)
        votes[found, c] = 0.07 * logsumexp(masked[found], axis=1)
    out["nearest"] = [[None if np.isinf(v) else v for v in row] for row in votes]

    # FeCAM (equations 3, 5, 6): S + V1 I + V2 (1 - I), to correlations, Mahalanobis distance of x as it is; the first tap alone.
    many, ym = make([20, 24])
    xm, qm = many[:, :DIM] / SCALE, queries[:, :DIM] / SCALE
    scores = np.empty((len(qm), 2))
    for c in range(2):
        own = xm[ym == c]
        s = np.cov(own.T)
        off = (s.sum() - np.trace(s)) / (DIM * (DIM - 1))
        s = s + np.trace(s) / DIM * np.eye(DIM) + off * (1 - np.eye(DIM))
        r = s / np.sqrt(np.outer(np.diag(s), np.diag(s)))
        diff = qm - own.mean(0)
        scores[:, c] = -0.5 * np.einsum("qd,de,qe->q", diff, np.linalg.inv(r), diff)
    out["fecam"] = {"codes": many.ravel(), "owners": ym, "scores": scores}

    def plain(value):
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(type(value))

    json.dump(out, sys.stdout, default=plain)
    print()


main()
