/** Renders one of the shapes: sphere tracing, a sun with soft shadow, sky light, a ground, all seeded. */

import sharp from 'sharp';

const SIZE = 144;
const FAR = 12;

/** Seeded numbers in [0, 1) (mulberry32). */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const normalise = ([x, y, z]) => {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
};
const cross = ([a, b, c], [x, y, z]) => [b * z - c * y, c * x - a * z, a * y - b * x];

/** The first thing that a ray meets: `[distance, colour]`, or undefined. */
function trace(scene, [ox, oy, oz], [dx, dy, dz]) {
  for (let t = 0.5, step = 0; step < 90 && t < FAR; step++) {
    const [distance, colour] = scene(ox + t * dx, oy + t * dy, oz + t * dz);
    if (distance < 0.002 * t) return [t, colour];
    t += distance;
  }
  return undefined;
}

/** From 0 (dark) to 1: how much of the sun reaches a point, its edge softened by near misses. */
function sunlight(scene, [ox, oy, oz], [dx, dy, dz]) {
  let light = 1;
  for (let t = 0.03, step = 0; step < 28 && t < 4; step++) {
    const [distance] = scene(ox + t * dx, oy + t * dy, oz + t * dz);
    if (distance < 0.002) return 0;
    light = Math.min(light, (10 * distance) / t);
    t += Math.max(distance, 0.03);
  }
  return light;
}

function slope(scene, [x, y, z]) {
  const e = 0.003;
  return normalise([
    scene(x + e, y, z)[0] - scene(x - e, y, z)[0],
    scene(x, y + e, z)[0] - scene(x, y - e, z)[0],
    scene(x, y, z + e)[0] - scene(x, y, z - e)[0],
  ]);
}

/**
 * A picture of `shape`, JPEG bytes, 144 x 144: another seed is another specimen, viewpoint, light and ground.
 * @param {(random: () => number) => (x: number, y: number, z: number) => [number, number[]]} shape
 */
export async function renderPicture(shape, seed) {
  const random = seededRandom(seed);
  const between = (low, high) => low + random() * (high - low);
  const thing = shape(random);
  const [turn, lift, reach] = [between(-0.9, 0.9) + 0.5, between(0.15, 0.6), between(3.1, 4.3)];
  const focus = [between(-0.2, 0.2), between(0.6, 0.75), between(-0.2, 0.2)];
  const eye = [
    focus[0] + reach * Math.sin(turn) * Math.cos(lift),
    focus[1] + reach * Math.sin(lift),
    focus[2] + reach * Math.cos(turn) * Math.cos(lift),
  ];
  const forward = normalise(focus.map((value, i) => value - eye[i]));
  const right = normalise(cross(forward, [0, 1, 0]));
  const up = cross(right, forward);
  const sun = normalise([between(-1, 1), between(0.5, 1.1), between(0.1, 1)]);
  const [warmth, ambient] = [between(-0.08, 0.12), between(0.3, 0.5)];
  const grounds = [0, 1, 2].map(() => between(0.3, 0.75));
  const [skyLow, skyHigh] = [
    [0, 1, 2].map(() => between(0.6, 0.95)),
    [0, 1, 2].map((i) => between(0.3, 0.6) + i * 0.12),
  ];
  const tile = between(0.3, 1.2);

  const ground = (x, z) => {
    const shade = (Math.floor(x / tile) + Math.floor(z / tile)) % 2 === 0 ? 1 : 0.88;
    return grounds.map((value) => value * shade);
  };
  const scene = (x, y, z) => {
    const near = thing(x, y, z);
    return y < near[0] ? [y, undefined] : near;
  };

  const pixels = new Uint8Array(SIZE * SIZE * 3);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const [u, v] = [((column + 0.5) / SIZE - 0.5) * 0.85, (0.5 - (row + 0.5) / SIZE) * 0.85];
      const ray = normalise(forward.map((value, i) => value + u * right[i] + v * up[i]));
      const hit = trace(scene, eye, ray);
      let colour = skyLow.map((low, i) => low + (skyHigh[i] - low) * Math.max(0, ray[1] * 1.5 + 0.3));
      if (hit !== undefined) {
        const [t, material] = hit;
        const point = eye.map((value, i) => value + t * ray[i]);
        const normal = slope(scene, point);
        const lifted = point.map((value, i) => value + 0.01 * normal[i]);
        const facing = Math.max(0, normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2]);
        const direct = facing * (facing > 0 ? sunlight(scene, lifted, sun) : 0);
        const sky = ambient * (0.6 + 0.4 * normal[1]);
        const fog = Math.min(1, t / FAR) ** 2;
        colour = (material ?? ground(point[0], point[2])).map((value, i) => {
          const lit = value * (sky + direct * (0.85 + warmth * (1 - i)));
          return lit + (skyLow[i] - lit) * fog;
        });
      }
      colour.forEach((value, i) => {
        const grain = (random() - 0.5) * 0.03;
        pixels[(row * SIZE + column) * 3 + i] = Math.round(255 * Math.min(1, Math.max(0, value + grain)) ** 0.85);
      });
    }
  }
  return sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } })
    .jpeg({ quality: 92 })
    .toBuffer();
}
