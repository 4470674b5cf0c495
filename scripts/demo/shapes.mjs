/**
 * Things made of distance functions: `thing(random)` gives `(x, y, z) -> [distance, material]` with y up and the ground at 0.
 * Distance formulas: Inigo Quilez, "Distance functions".
 */

const sphere = (x, y, z, r) => Math.hypot(x, y, z) - r;
const ellipsoid = (x, y, z, a, b, c) => {
  const k = Math.hypot(x / a, y / b, z / c);
  return (k * (k - 1)) / Math.max(Math.hypot(x / (a * a), y / (b * b), z / (c * c)), 1e-9);
};
const box = (x, y, z, a, b, c, round = 0.02) => {
  const [qx, qy, qz] = [Math.abs(x) - a + round, Math.abs(y) - b + round, Math.abs(z) - c + round];
  return Math.hypot(Math.max(qx, 0), Math.max(qy, 0), Math.max(qz, 0)) + Math.min(Math.max(qx, qy, qz), 0) - round;
};
const cylinder = (x, y, z, r, h) => {
  const [dr, dy] = [Math.hypot(x, z) - r, Math.abs(y) - h];
  return Math.min(Math.max(dr, dy), 0) + Math.hypot(Math.max(dr, 0), Math.max(dy, 0));
};
/** A cone standing on y = 0 with its tip at height h; a lower bound of the distance. */
const cone = (x, y, z, r, h) => {
  const slope = Math.hypot(r, h);
  return Math.max((h * Math.hypot(x, z) + r * (y - h)) / slope, -y);
};
const torus = (x, y, z, big, small) => Math.hypot(Math.hypot(x, y) - big, z) - small;
const capsule = (x, y, z, [ax, ay, az], [bx, by, bz], r) => {
  const [px, py, pz, dx, dy, dz] = [x - ax, y - ay, z - az, bx - ax, by - ay, bz - az];
  const t = Math.min(1, Math.max(0, (px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz)));
  return Math.hypot(px - t * dx, py - t * dy, pz - t * dz) - r;
};

/** The nearest of `[distance, material]` parts. */
const union = (...parts) => parts.reduce((a, b) => (b[0] < a[0] ? b : a));

const hue = (random, from, to, saturation = 0.7, value = 0.8) => {
  const h = ((from + random() * (to - from)) / 60) % 6;
  const channel = (n) => value - value * saturation * Math.max(0, Math.min((n + h) % 6, 4 - ((n + h) % 6), 1));
  return [channel(5), channel(3), channel(1)];
};
const vary = (random, low, high) => low + random() * (high - low);

function mug(random) {
  const glaze = hue(random, 0, 360);
  const [r, h] = [vary(random, 0.42, 0.55), vary(random, 0.5, 0.65)];
  return (x, y, z) => {
    const wall = Math.max(cylinder(x, y - h, z, r, h), -cylinder(x, y - h - 0.12, z, r - 0.07, h));
    const handle = Math.max(torus(x - r - 0.05, y - h, z, h * 0.55, 0.08), -(Math.hypot(x, z) - r + 0.03));
    return union([wall, glaze], [handle, glaze], [cylinder(x, y - h * 1.5, z, r - 0.05, 0.02), [0.22, 0.12, 0.06]]);
  };
}

function chair(random) {
  const wood = hue(random, 18, 38, vary(random, 0.4, 0.7), vary(random, 0.45, 0.85));
  const seat = hue(random, 0, 360, 0.5, 0.7);
  const [w, back] = [vary(random, 0.42, 0.5), vary(random, 0.55, 0.75)];
  return (x, y, z) => {
    const [ax, az] = [Math.abs(x) - w + 0.06, Math.abs(z) - w + 0.06];
    const legs = box(ax, y - 0.32, az, 0.05, 0.34, 0.05);
    const posts = box(ax, y - 0.7 - back / 2, z + w - 0.06, 0.05, back / 2, 0.05);
    const rails = Math.min(
      box(x, y - 0.72 - back * 0.9, z + w - 0.06, w, 0.07, 0.035),
      box(x, y - 0.72 - back * 0.5, z + w - 0.06, w, 0.05, 0.03),
    );
    return union([Math.min(legs, posts, rails), wood], [box(x, y - 0.68, z, w, 0.05, w), seat]);
  };
}

function tree(random) {
  const leaf = hue(random, 85, 140, 0.65, vary(random, 0.35, 0.6));
  const [count, r] = [2 + Math.floor(random() * 2), vary(random, 0.55, 0.75)];
  return (x, y, z) => {
    let crown = Infinity;
    for (let i = 0; i <= count; i++) {
      crown = Math.min(crown, cone(x, y - 0.4 - i * 0.38, z, r * (1 - i / (count + 2)), 0.7));
    }
    return union([crown * 0.8, leaf], [cylinder(x, y - 0.25, z, 0.1, 0.28), [0.36, 0.23, 0.12]]);
  };
}

function car(random) {
  const paint = hue(random, 0, 360, 0.8, vary(random, 0.5, 0.9));
  const [length, roof] = [vary(random, 0.85, 1.0), vary(random, 0.2, 0.28)];
  return (x, y, z) => {
    const body = box(x, y - 0.38, z, length, 0.18, 0.42, 0.09);
    const cabin = box(x + 0.08, y - 0.52 - roof, z, length * 0.55, roof, 0.37, 0.12);
    const wheel = cylinder(Math.abs(x) - length * 0.6, Math.abs(z) - 0.4, y - 0.2, 0.2, 0.06);
    const hub = cylinder(Math.abs(x) - length * 0.6, Math.abs(z) - 0.42, y - 0.2, 0.1, 0.06);
    const glass = box(x + 0.08, y - 0.53 - roof, z, length * 0.5, roof * 0.7, 0.385, 0.1);
    const windscreen = box(x + 0.08, y - 0.53 - roof, z, length * 0.565, roof * 0.7, 0.31, 0.1);
    const lamps = sphere(x - length + 0.03, y - 0.4, Math.abs(z) - 0.27, 0.07);
    return union(
      [Math.min(body, cabin), paint],
      [wheel, [0.08, 0.08, 0.09]],
      [hub, [0.7, 0.7, 0.72]],
      [Math.min(glass, windscreen), [0.12, 0.17, 0.22]],
      [lamps, [0.95, 0.92, 0.75]],
    );
  };
}

function house(random) {
  const wall = hue(random, 20, 60, vary(random, 0.05, 0.4), vary(random, 0.75, 0.95));
  const tiles = hue(random, 0, 20, 0.65, vary(random, 0.45, 0.7));
  const [w, d] = [vary(random, 0.55, 0.7), vary(random, 0.5, 0.85)];
  return (x, y, z) => {
    const roof = Math.max((Math.abs(x) * 0.75 + (y - 1.35)) * 0.8, 0.72 - y, Math.abs(z) - d - 0.08);
    const windows = box(Math.abs(x) - w * 0.5, y - 0.45, Math.abs(z) - d, 0.11, 0.13, 0.02);
    const sides = box(Math.abs(x) - w, y - 0.45, Math.abs(z) - d * 0.45, 0.02, 0.13, 0.12);
    return union(
      [box(x, y - 0.4, z, w, 0.42, d), wall],
      [roof, tiles],
      [box(x, y - 0.22, z - d, 0.1, 0.24, 0.02), [0.35, 0.2, 0.1]],
      [Math.min(windows, sides), [0.25, 0.35, 0.5]],
      [box(x - w * 0.55, y - 1.15, z + d * 0.4, 0.08, 0.3, 0.08), [0.5, 0.25, 0.2]],
    );
  };
}

function mushroom(random) {
  const cap = hue(random, -8, 22, 0.85, vary(random, 0.6, 0.85));
  const [r, h] = [vary(random, 0.5, 0.7), vary(random, 0.55, 0.8)];
  const dots = Array.from({ length: 9 }, () => {
    const [turn, lift] = [random() * 2 * Math.PI, vary(random, 0.35, 1.4)];
    const spread = Math.cos(lift) * r;
    return [Math.cos(turn) * spread, h + Math.sin(lift) * r * 0.75, Math.sin(turn) * spread, vary(random, 0.05, 0.1)];
  });
  return (x, y, z) => {
    const dome = Math.max(ellipsoid(x, y - h, z, r, r * 0.75, r), h - 0.02 - y);
    const stem = cylinder(x, y - h / 2, z, 0.15 + 0.08 * Math.max(0, 1 - y / h), h / 2);
    let spots = Infinity;
    for (const [dx, dy, dz, dr] of dots) spots = Math.min(spots, sphere(x - dx, y - dy, z - dz, dr));
    return union([dome, cap], [stem * 0.9, [0.93, 0.89, 0.8]], [spots, [0.97, 0.95, 0.9]]);
  };
}

function snowman(random) {
  const scarf = hue(random, 0, 360, 0.85, 0.75);
  const hat = hue(random, 0, 360, 0.25, 0.2);
  const r = vary(random, 0.44, 0.52);
  return (x, y, z) => {
    const top = r * 2.95;
    const snow = Math.min(
      sphere(x, y - r * 0.9, z, r),
      sphere(x, y - r * 2.1, z, r * 0.72),
      sphere(x, top - y, z, r * 0.5),
    );
    const eyes = sphere(Math.abs(x) - 0.08, y - top - 0.06, z - r * 0.46, 0.035);
    const buttons = Math.min(sphere(x, y - r * 2.3, z - r * 0.68, 0.04), sphere(x, y - r * 1.95, z - r * 0.7, 0.04));
    const nose = capsule(x, y, z, [0, top - 0.02, r * 0.45], [0, top - 0.04, r * 0.95], 0.04);
    const brim = cylinder(x, y - top - r * 0.42, z, r * 0.55, 0.025);
    return union(
      [snow, [0.94, 0.95, 0.98]],
      [Math.min(eyes, buttons), [0.05, 0.05, 0.05]],
      [nose, [0.95, 0.45, 0.08]],
      [Math.min(brim, cylinder(x, y - top - r * 0.75, z, r * 0.35, r * 0.32)), hat],
      [torus(x, z, y - r * 2.55, r * 0.42, 0.07), scarf],
    );
  };
}

function cactus(random) {
  const skin = hue(random, 110, 150, 0.55, vary(random, 0.4, 0.6));
  const pot = hue(random, 10, 25, 0.65, 0.7);
  const [left, right] = [vary(random, 0.75, 0.95), vary(random, 0.9, 1.15)];
  return (x, y, z) => {
    const ribs = 0.012 * Math.cos(10 * Math.atan2(z, x));
    const arms = Math.min(
      capsule(x, y, z, [0, left, 0], [-0.42, left, 0], 0.1),
      capsule(x, y, z, [-0.42, left, 0], [-0.42, left + 0.35, 0], 0.1),
      capsule(x, y, z, [0, right, 0], [0.38, right, 0], 0.09),
      capsule(x, y, z, [0.38, right, 0], [0.38, right + 0.25, 0], 0.09),
    );
    const trunk = capsule(x, y, z, [0, 0.4, 0], [0, 1.5, 0], 0.2) + ribs;
    return union([Math.min(trunk, arms) * 0.85, skin], [cylinder(x, y - 0.2, z, 0.3 + 0.08 * y, 0.2) * 0.9, pot]);
  };
}

/** The classes that the demo learns, the one that it adds later, and the stranger. */
export const LEARNED = { car, chair, house, mug, mushroom, tree };
export const ADDED = { snowman };
export const STRANGER = { cactus };
