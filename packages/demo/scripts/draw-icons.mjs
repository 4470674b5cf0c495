/** Draws the installed app's icons from public/icon.svg: `node scripts/draw-icons.mjs`. Its outputs are in git. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const folder = fileURLToPath(new URL('../public/', import.meta.url));
const svg = readFileSync(`${folder}icon.svg`, 'utf8');
// Platforms cut a maskable icon to their own shape: no corners, and the mark within the inner 80 %.
const full = svg
  .replace('rx="15"', '')
  .replace('<g ', '<g transform="translate(32 32) scale(0.8) translate(-32 -32)" ');

const draw = (source, size, name) =>
  sharp(Buffer.from(source), { density: (72 * size) / 64 })
    .resize(size, size)
    .png({ compressionLevel: 9, palette: true })
    .toFile(`${folder}${name}`);

await draw(svg, 192, 'icon-192.png');
await draw(svg, 512, 'icon-512.png');
await draw(full, 512, 'icon-maskable-512.png');
await draw(full, 180, 'apple-touch-icon.png');
