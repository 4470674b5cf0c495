/** Before the first test: is there a Chromium? In CI a missing one is installed; elsewhere its absence is said once. */

import { findChromium, HOW_TO_INSTALL, installChromium } from './find-chromium.ts';

export default function setup(): void {
  if (findChromium() !== undefined) return;
  if (process.env['CI'] === 'true') {
    try {
      installChromium();
    } catch (error) {
      // Every test in a browser fails by itself then; the others still have something to say.
      console.error(error);
    }
    return;
  }
  console.warn(`\nNo Chromium on this machine: every test in a browser is skipped. ${HOW_TO_INSTALL}\n`);
}
