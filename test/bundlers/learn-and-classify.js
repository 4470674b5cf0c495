/** The app that every bundler builds: learns two classes from drawn pictures, answers one of each, and is judged. */

import { createClassifier } from '@imprint/web';

/** A picture of a disc or of stripes, a little different for every `variant`. */
export function draw(kind, variant) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 160;
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, 160, 160);
  if (kind === 'disc') {
    context.fillStyle = `hsl(${variant * 8} 80% 45%)`;
    context.beginPath();
    context.arc(80 + variant * 3, 80 - variant * 2, 40 + variant * 4, 0, 2 * Math.PI);
    context.fill();
  } else {
    context.fillStyle = `hsl(${220 + variant * 8} 80% 35%)`;
    for (let x = variant * 3; x < 160; x += 24) context.fillRect(x, 0, 12, 160);
  }
  return canvas;
}

/** Creates a classifier with `options`, and returns what it answered. */
export async function learnAndClassify(options = {}) {
  const classifier = await createClassifier(options);
  const pictures = (kind) => [0, 1, 2].map((variant) => draw(kind, variant));
  await classifier.addClass('disc', pictures('disc'));
  await classifier.addClass('stripes', pictures('stripes'));
  const disc = await classifier.classify(draw('disc', 4));
  const stripes = await classifier.classify(draw('stripes', 4));
  // The worker's second script is loaded for this.
  const { accuracy } = await classifier.evaluate([{ label: 'disc', input: draw('disc', 5) }]);
  const answer = {
    ranked: [disc.ranking[0].label, stripes.ranking[0].label],
    accuracy,
    backbone: classifier.identity.name,
    numExamples: classifier.numExamples,
    device: classifier.device.device,
  };
  await classifier.dispose();
  return answer;
}
