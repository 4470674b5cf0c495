/** Where this machine keeps a Chromium, and how to get one. */

import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const ELSEWHERE = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** How a person gets a browser for the tests. */
export const HOW_TO_INSTALL =
  'Install one by `npm run install:browser`, or set CHROME_PATH to the program of a Chromium or Chrome that is here.';

/** The program's path, or undefined. CHROME_PATH wins; then PATH, the usual places, and playwright-core's own cache. */
export function findChromium(): string | undefined {
  const named = process.env['CHROME_PATH'];
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return named;
    throw new Error(`Expected a program at CHROME_PATH, got ${JSON.stringify(named)}. Correct it or unset it.`);
  }
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const onPath = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...onPath, ...ELSEWHERE, chromium.executablePath()].find(isProgram);
}

/** Installs one: by apt-get where that is at hand and allowed, else by playwright-core's own installer. Returns its path. */
export function installChromium(): string {
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    attempt('apt-get', ['update', '-qq']);
    attempt('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium']);
  }
  if (findChromium() === undefined) {
    attempt('npx', ['--no-install', 'playwright-core', 'install', '--no-shell', 'chromium']);
  }
  const found = findChromium();
  if (found === undefined) throw new Error(`Chromium could not be installed. ${HOW_TO_INSTALL}`);
  return found;
}

function attempt(command: string, args: readonly string[]): void {
  console.error(`> ${[command, ...args].join(' ')}`);
  try {
    execFileSync(command, args, {
      stdio: 'inherit',
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
