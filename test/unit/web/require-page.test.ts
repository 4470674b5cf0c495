/** What only a page can do, asked for elsewhere. */

import { expect, it } from 'vitest';
import { createClassifier, openCamera } from '../../../packages/web/src/index.ts';

it('what needs a page says so in Node, and what to do', async () => {
  const video = {} as HTMLVideoElement;
  for (const [verb, made] of Object.entries({ createClassifier: createClassifier(), openCamera: openCamera(video) })) {
    await expect(made).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(`^Expected a page .* Call ${verb} in the browser only .* use @imprint/node\\.$`),
    });
  }
});
