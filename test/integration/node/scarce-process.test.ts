/** Processes that lack what they stand on: their current folder, file handles, a readable cache, CUDA. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const TINY = fileURLToPath(new URL('../../fixtures/tiny-backbone', import.meta.url));

/** What `script`, which may use `tiny` and everything of @imprint/node as `I`, printed. */
function run(script: string, environment: Record<string, string> = {}): { stdout: string; stderr: string } {
  const whole = `import * as I from '@imprint/node';\nconst tiny = ${JSON.stringify(TINY)};\n${script}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', whole], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
}

it.skipIf(process.platform === 'win32')('says that the current folder is gone', () => {
  const gone = mkdtempSync(join(tmpdir(), 'imprint-gone-'));
  const { stdout } = run(`
    import { rmdirSync } from 'node:fs';
    process.chdir(${JSON.stringify(gone)});
    rmdirSync(${JSON.stringify(gone)});
    await I.loadBackbone(tiny, { device: 'cpu' }).catch(({ code, message }) => console.log(code, message));
  `);
  expect(stdout).toMatch(
    /^FILE_UNREADABLE Expected a current folder for .* no longer exists .*\. Change to another folder/,
  );
});

it.skipIf(process.platform === 'win32')(
  'waits for file handles, and does not blame the picture where none comes',
  () => {
    const picture = join(mkdtempSync(join(tmpdir(), 'imprint-handles-')), 'a.png');
    const { stdout } = run(`
    import { closeSync, openSync } from 'node:fs';
    import sharp from 'sharp';
    const picture = ${JSON.stringify(picture)};
    await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).png().toFile(picture);
    const backbone = await I.loadBackbone(tiny, { device: 'cpu', sessions: 1 });
    async function embed() {
      try {
        for await (const { error } of backbone.embed([picture, picture])) if (error) return error.code;
        return 'embedded';
      } catch ({ code, message }) {
        return code + ' ' + message;
      }
    }
    await embed();
    const held = [];
    function takeAll() {
      try {
        for (;;) held.push(openSync(picture));
      } catch {}
    }
    const giveBack = () => held.splice(0).forEach((handle) => closeSync(handle));
    takeAll();
    setTimeout(giveBack, 200);
    const later = await embed();
    takeAll();
    const never = await embed();
    giveBack();
    console.log(later);
    console.log(never);
    await backbone.dispose();
  `);
    rmSync(join(picture, '..'), { recursive: true, force: true });
    const [later, never] = stdout.split('\n');
    expect(later).toBe('embedded');
    expect(never).toMatch(
      /^FILE_UNREADABLE Expected a free file handle to read .*a\.png, got EM?N?FILE .*raise the limit/,
    );
  },
  60_000,
);

it('reports and lists what it can where the cache cannot be read', () => {
  const { stdout } = run(
    `const { cache, devices } = await I.inspectRuntime(tiny);
     console.log(JSON.stringify({ cache, devices, models: await I.listModels() }));`,
    { IMPRINT_CACHE: process.execPath },
  );
  const { cache, devices, models } = JSON.parse(stdout);
  expect(cache).toMatchObject({ folder: process.execPath, models: [] });
  expect(cache.error).toMatch(/^Expected to read .*locks.*, got Error: ENOTDIR/);
  expect(devices.find(({ device }: { device: string }) => device === 'cpu')).toMatchObject({ state: 'taken' });
  const named = Object.fromEntries(models.map((entry: { name: string }) => [entry.name, entry]));
  expect(named['imprint-tiny']).not.toHaveProperty('error');
  expect(named['deit-tiny'].error).toMatch(/ENOTDIR/);
  expect(named['deit-tiny'].files.map(({ isCached }: { isCached: boolean }) => isCached)).not.toContain(true);
});

it('says in one sentence that CUDA is not there, and nothing on standard error', () => {
  const { stdout, stderr } = run(
    `await I.loadBackbone(tiny, { device: 'cuda' }).then((b) => b.dispose(), ({ code, message }) => console.log(code, message));`,
  );
  if (stdout !== '') expect(stdout).toMatch(/^DEVICE_UNAVAILABLE Expected cuda to be available, got: .*\n$/);
  expect(stderr).toBe('');
});
