/** Copies the hub backbones' manifests from models/ into dist, where the packed package finds them. */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const models = new URL('../../../models/', import.meta.url);
const target = new URL('../dist/models/manifests/', import.meta.url);
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const name of readdirSync(fileURLToPath(models))) {
  const manifest = new URL(`${name}/manifest.json`, models);
  let text;
  try {
    text = readFileSync(manifest, 'utf8');
  } catch {
    continue;
  }
  // The embedded backbone is a package of its own and names no repository.
  if ('repository' in JSON.parse(text)) copyFileSync(manifest, new URL(`${name}.json`, target));
}
