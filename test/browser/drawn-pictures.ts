/** PNG files of two kinds that any backbone tells apart, for pages that take files. */

import sharp from 'sharp';

export interface PictureFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

async function picture(kind: 'disc' | 'stripes', variant: number): Promise<PictureFile> {
  const stripes = Array.from(
    { length: 7 },
    (_, index) =>
      `<rect x="${index * 24 + variant * 3}" width="12" height="160" fill="hsl(${220 + variant * 8} 80% 35%)"/>`,
  );
  const disc = `<circle cx="${80 + variant * 3}" cy="${80 - variant * 2}" r="${40 + variant * 4}" fill="hsl(${variant * 8} 80% 45%)"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="160"><rect width="160" height="160" fill="#fff"/>
    ${kind === 'disc' ? disc : stripes.join('')}</svg>`;
  return {
    name: `${kind}-${variant}.png`,
    mimeType: 'image/png',
    buffer: await sharp(Buffer.from(svg)).png().toBuffer(),
  };
}

/** Three of each kind to learn from, and another of each to ask about. */
export async function drawnPictures() {
  const three = (kind: 'disc' | 'stripes') => Promise.all([0, 1, 2].map((variant) => picture(kind, variant)));
  return {
    disc: await three('disc'),
    stripes: await three('stripes'),
    another: { disc: await picture('disc', 4), stripes: await picture('stripes', 4) },
  };
}
