/** `npm run demo`: a classifier learns six things from five pictures each, then a seventh, and meets a stranger. */

import { performance } from 'node:perf_hooks';
import { createClassifier } from '@imprint/node';
import { renderPicture } from './demo/render-picture.mjs';
import { ADDED, LEARNED, STRANGER } from './demo/shapes.mjs';

const EXAMPLES = 5;
const HELD_OUT = 6;

/** Pictures of a shape, `count` from specimen number `from` on. */
async function pictures(name, shape, from, count) {
  const seed = [...name].reduce((sum, letter) => sum * 31 + letter.codePointAt(0), 7);
  const rendered = [];
  for (let i = from; i < from + count; i++) {
    rendered.push({ image: await renderPicture(shape, seed + i), source: `${name}-${i}.jpg` });
  }
  return rendered;
}

async function timed(action) {
  const start = performance.now();
  const value = await action();
  return [value, performance.now() - start];
}

/** Rows of texts as columns; the first left, the rest right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '))
    .map((line) => `  ${line}`)
    .join('\n');
}

const percent = (share) => `${Math.round(100 * share)} %`;

async function classifyAll(classifier, inputs) {
  const predictions = [];
  for await (const result of classifier.classifyMany(inputs)) {
    if ('error' in result) throw result.error;
    predictions.push(result.prediction);
  }
  return predictions;
}

const things = { ...LEARNED, ...ADDED };
console.log(
  `Rendering ${Object.keys(things).length * (EXAMPLES + HELD_OUT) + HELD_OUT} pictures (seeded, made by scripts/demo, nothing is downloaded) ...`,
);
const examples = new Map();
const heldOut = new Map();
for (const [name, shape] of Object.entries(things)) {
  examples.set(name, await pictures(name, shape, 0, EXAMPLES));
  heldOut.set(name, await pictures(name, shape, EXAMPLES, HELD_OUT));
}
const [[strangerName, strangerShape]] = Object.entries(STRANGER);
const strangers = await pictures(strangerName, strangerShape, 0, HELD_OUT);

const [classifier, loadMs] = await timed(() => createClassifier());
console.log(
  `\nBackbone ${classifier.backbone.identity.name} on ${classifier.backbone.device}, ready in ${Math.round(loadMs)} ms.`,
);

let learnMs = 0;
for (const name of Object.keys(LEARNED)) {
  const [, ms] = await timed(() => classifier.addClass(name, examples.get(name)));
  learnMs += ms;
}
await classifyAll(classifier, heldOut.get('car'));
const [name] = Object.keys(ADDED);
const [, addMs] = await timed(() => classifier.addClass(name, examples.get(name)));
const [, solveMs] = await timed(() => classifier.classify(heldOut.get(name)[0]));
console.log(
  `Learned ${Object.keys(LEARNED).length} classes from ${EXAMPLES} pictures each in ${Math.round(learnMs)} ms;`,
);
console.log(
  `added ${name} in ${Math.round(addMs)} ms (nothing retrained, nothing forgotten), first answer after ${Math.round(solveMs)} ms.\n`,
);

const rows = [['held-out pictures of', 'right', 'called unknown', 'mean confidence']];
let right = 0;
let total = 0;
for (const [label, inputs] of heldOut) {
  const predictions = await classifyAll(classifier, inputs);
  const hits = predictions.filter(({ ranking }) => ranking[0].label === label).length;
  const unknown = predictions.filter(({ known }) => !known).length;
  const confidence = predictions.reduce((sum, prediction) => sum + prediction.confidence, 0) / predictions.length;
  rows.push([label, `${hits} of ${inputs.length}`, `${unknown} of ${inputs.length}`, percent(confidence)]);
  right += hits;
  total += inputs.length;
}
const answers = await classifyAll(classifier, strangers);
const told = answers.filter(({ known }) => !known).length;
rows.push([`${strangerName} (never learned)`, '-', `${told} of ${strangers.length}`, '-']);
console.log(table(rows));
console.log(
  `\n${right} of ${total} right (${percent(right / total)}); ${told} of ${strangers.length} strangers called unknown.`,
);
console.log(
  `The file would have ${Math.ceil(classifier.snapshot().length / 1024)} KB. ${(await classifier.report()).reason}`,
);
console.log('\nThe pictures above are rendered. On your own, in a folder with one folder a class:');
console.log('  npx imprint learn photos/ --out photos.imprint && npx imprint classify photos.imprint new.jpg');
await classifier.dispose();
