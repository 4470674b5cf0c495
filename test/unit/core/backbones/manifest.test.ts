/** Manifests: what is accepted, and the sentence for everything that is not. */

import { describe, expect, it } from 'vitest';
import { listHubManifests, parseHubManifest } from '../../../../packages/node/src/models/hub-manifest.ts';
import { parseManifest } from '../../../../packages/core/src/backbones/manifest.ts';

const stacked = {
  name: 'example',
  version: 1,
  file: 'model.onnx',
  sizeBytes: 10,
  sha256: 'a'.repeat(64),
  licence: 'Apache-2.0',
  input: { name: 'pixel_values', size: 8, resize: 9, resample: 'bicubic', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  output: { name: 'taps', taps: [{ name: 'cls' }, { name: 'mean' }], dim: 2 },
};
const tensors = {
  ...stacked,
  output: {
    taps: [
      { name: 'cls', tensor: 'x', pooling: 'cls' },
      { name: 'mean', tensor: 'x', pooling: 'mean', prefixTokens: 1 },
    ],
    dim: 2,
  },
};

const sameClass = {
  shares: [0.01, 0.5],
  byExamples: [
    { examples: 1, cosines: [0.1, 0.4] },
    { examples: 5, cosines: [0.2, 0.6] },
  ],
};

describe('parseManifest', () => {
  it('reads both forms of output, variants, a canary and same-class cosines, and leaves out what it does not know', () => {
    const full = {
      ...stacked,
      url: 'https://example.org/model.onnx',
      revision: 'abc',
      variants: { int8: { file: 'onnx/int8.onnx', sizeBytes: 5, sha256: 'b'.repeat(64) } },
      canary: { embedding: [1, 2, 3, 4] },
      sameClass,
    };
    expect(parseManifest(JSON.stringify({ ...full, comment: 'x' }), 'm')).toEqual(full);
    expect(parseManifest(`\uFEFF${JSON.stringify(tensors)}`, 'm')).toEqual(tensors);
  });

  it.each([
    ['no JSON', '{', 'Expected JSON in m, got text that is not'],
    ['a list', '[]', 'Expected a JSON object for the manifest in m, got Array of length 0'],
    [
      'another version',
      { ...stacked, version: 2 },
      'Expected 1 (the version this release reads) for version in m, got 2',
    ],
    ['no name', { ...stacked, name: '' }, 'Expected a text that is not empty for name in m, got ""'],
    ['a name from the prototype', { ...stacked, licence: undefined }, 'for licence in m, got undefined'],
    [
      'a file outside the folder',
      { ...stacked, file: '../model.onnx' },
      'Expected a path inside the folder for file in m, got "../model.onnx"',
    ],
    ['an absolute file', { ...stacked, file: '/model.onnx' }, 'Expected a path inside the folder for file'],
    ['a Windows path', { ...stacked, file: 'c:model.onnx' }, 'Expected a path inside the folder for file'],
    ['a backslash', { ...stacked, file: 'a\\..\\b' }, 'Expected a path inside the folder for file'],
    ['a wrong digest', { ...stacked, sha256: 'A'.repeat(64) }, 'Expected 64 lower-case hex digits for sha256 in m'],
    ['no size', { ...stacked, sizeBytes: 1.5 }, 'Expected a positive integer for sizeBytes in m, got 1.5'],
    [
      'a resize below size',
      { ...stacked, input: { ...stacked.input, resize: 7 } },
      'Expected an integer from size (8) to 4096 for input.resize in m, got 7',
    ],
    [
      'an input that no memory holds',
      { ...stacked, input: { ...stacked.input, size: 100_000 } },
      'Expected an integer from 1 to 4096 for input.size in m, got 100000',
    ],
    [
      'embeddings that no memory holds',
      { ...stacked, output: { ...stacked.output, dim: 2 ** 33 } },
      'Expected at most 16777216 numbers with all taps for output.dim in m, got 8589934592',
    ],
    [
      'another resampling',
      { ...stacked, input: { ...stacked.input, resample: 'lanczos' } },
      "Expected 'bicubic' or 'bilinear' for input.resample in m, got \"lanczos\"",
    ],
    [
      'a mean of bytes',
      { ...stacked, input: { ...stacked.input, mean: [128, 128, 128] } },
      'Expected three numbers from 0 to 1 for input.mean',
    ],
    [
      'a deviation of zero',
      { ...stacked, input: { ...stacked.input, std: [1, 0, 1] } },
      'Expected three numbers above 0, at most 1 for input.std',
    ],
    [
      'no taps',
      { ...stacked, output: { ...stacked.output, taps: [] } },
      'Expected a list of at least one tap for output.taps in m',
    ],
    [
      'a tap twice',
      { ...stacked, output: { ...stacked.output, taps: [{ name: 'a' }, { name: 'a' }] } },
      'Expected a name that no earlier tap has for output.taps[1].name in m, got "a"',
    ],
    [
      'a tap without tensor',
      { ...stacked, output: { taps: [{ name: 'a' }], dim: 2 } },
      'for output.taps[0].tensor in m, got undefined',
    ],
    [
      'another pooling',
      { ...tensors, output: { ...tensors.output, taps: [{ name: 'a', tensor: 'x', pooling: 'max' }] } },
      "Expected 'cls' or 'mean' or 'none' for output.taps[0].pooling",
    ],
    [
      'a canary of another length',
      { ...stacked, canary: { embedding: [1] } },
      'Expected 4 finite numbers (2 taps x 2) for canary.embedding in m',
    ],
    [
      'shares that do not ascend',
      { ...stacked, sameClass: { ...sameClass, shares: [0.5, 0.5] } },
      'Expected two or more ascending numbers between 0 and 1 for sameClass.shares in m, got Array of length 2',
    ],
    [
      'a share of all',
      { ...stacked, sameClass: { ...sameClass, shares: [0.5, 1] } },
      'Expected two or more ascending numbers between 0 and 1 for sameClass.shares',
    ],
    [
      'same-class cosines that begin with two examples',
      { ...stacked, sameClass: { ...sameClass, byExamples: [sameClass.byExamples[1]] } },
      'Expected 1 for sameClass.byExamples[0].examples in m, got 5',
    ],
    [
      'the same number of examples twice',
      { ...stacked, sameClass: { ...sameClass, byExamples: [sameClass.byExamples[0], sameClass.byExamples[0]] } },
      'Expected an integer above 1 for sameClass.byExamples[1].examples in m, got 1',
    ],
    [
      'a cosine too few',
      { ...stacked, sameClass: { ...sameClass, byExamples: [{ examples: 1, cosines: [0.1] }] } },
      'Expected 2 ascending numbers from -1 to 1, one for each share for sameClass.byExamples[0].cosines',
    ],
    [
      'no cosines at all',
      { ...stacked, sameClass: { ...sameClass, byExamples: [] } },
      'Expected a list that begins with one example for sameClass.byExamples',
    ],
    [
      'a broken variant',
      { ...stacked, variants: { int8: { file: 'x' } } },
      'Expected a positive integer for variants.int8.sizeBytes in m',
    ],
  ])('refuses %s', (_, manifest, message) => {
    const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    expect(() => parseManifest(text, 'm')).toThrow(
      expect.objectContaining({ code: 'BACKBONE_INVALID', message: expect.stringContaining(message) }),
    );
  });
});

describe('listHubManifests', () => {
  it('knows the seven backbones, each with a licence, a pooling and a file a precision', async () => {
    const manifests = await listHubManifests();
    expect([...manifests.keys()]).toEqual([
      'clip-vit-base-patch32',
      'deit-tiny',
      'dinov2-base',
      'dinov2-small',
      'mobileclip-s0',
      'siglip-base',
      'vit-base-patch16-224-in21k',
    ]);
    for (const manifest of manifests.values()) {
      expect(manifest.licence).not.toBe('');
      expect(Object.keys(manifest.files)[0]).toBe('fp32');
    }
  });

  it('refuses a repository or a file that would lead elsewhere', async () => {
    const [manifest] = (await listHubManifests()).values();
    expect(() => parseHubManifest(JSON.stringify({ ...manifest, repository: 'a/b/../c' }), 'm')).toThrow(
      'Expected owner/name for repository in m',
    );
    const files = { fp32: { file: 'onnx/../../x.onnx', sizeBytes: null, sha256: null } };
    expect(() => parseHubManifest(JSON.stringify({ ...manifest, files }), 'm')).toThrow(
      'Expected an .onnx file under onnx/ for files.fp32.file',
    );
    expect(() => parseHubManifest(JSON.stringify({ ...manifest, name: '../x' }), 'm')).toThrow('for name in m');
  });
});
