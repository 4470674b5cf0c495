/** A route on the server: @imprint/node stays out of the bundle (next.config.js). */

import { createClassifier } from '@imprint/node';
import sharp from 'sharp';

export const dynamic = 'force-dynamic';

const picture = (background) =>
  sharp({ create: { width: 32, height: 32, channels: 3, background } })
    .png()
    .toBuffer();

async function answer() {
  const classifier = await createClassifier({ device: 'cpu' });
  try {
    await classifier.addClass('red', [await picture('#e00000')]);
    await classifier.addClass('blue', [await picture('#0000e0')]);
    const { ranking } = await classifier.classify(await picture('#d01010'));
    return ranking[0].label;
  } finally {
    await classifier.dispose();
  }
}

export async function GET() {
  try {
    return Response.json({ label: await answer() });
  } catch (error) {
    return Response.json({ error: String(error) });
  }
}
