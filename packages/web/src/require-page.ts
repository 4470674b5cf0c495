/** What needs a page, or something of it, says so elsewhere. */

import { expected, ImprintError } from '@imprint/core';

/** @param verb `createClassifier` @throws UNSUPPORTED outside a browser's page */
export function requirePage(verb: string): void {
  if (typeof Worker === 'undefined' || typeof document === 'undefined') {
    const message = `Expected a page of a browser, got a runtime without Worker and document. Call ${verb} in the browser only (in React: in an effect); in Node use @imprint/node.`;
    throw new ImprintError('UNSUPPORTED', message);
  }
}

/** Videos of frames count too. @throws INVALID_ARGUMENT */
export function requireVideo(video: HTMLVideoElement): void {
  const { tagName } = (video as Partial<HTMLVideoElement> | null | undefined) ?? {};
  if (tagName !== 'VIDEO') throw expected('video', 'a <video> element', video);
}
