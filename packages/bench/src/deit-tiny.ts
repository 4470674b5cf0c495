/** DeiT-Tiny as each contender wants it: a folder with Imprint's manifest and a folder in transformers.js layout. */

import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The same that the tests use. */
const MANIFEST = new URL('../../../test/fixtures/deit-tiny/manifest.json', import.meta.url);

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

export interface DeitTinyFolders extends AsyncDisposable {
  readonly modelFile: string;
  /** For `loadBackbone`. */
  readonly imprint: string;
  /** Parent of the folder `deit-tiny`, for transformers.js's `env.localModelPath`. */
  readonly transformers: string;
}

/** Lays out links to `modelFile` in a temporary folder, which goes with the result. */
export async function deitTinyFolders(modelFile: string): Promise<DeitTinyFolders> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imprint-bench-'));
  const imprint = path.join(folder, 'imprint');
  const transformers = path.join(folder, 'transformers');
  const repository = path.join(transformers, 'deit-tiny');
  await mkdir(imprint);
  await mkdir(path.join(repository, 'onnx'), { recursive: true });
  await symlink(modelFile, path.join(imprint, 'model.onnx'));
  await symlink(modelFile, path.join(repository, 'onnx/model.onnx'));
  await copyFile(MANIFEST, path.join(imprint, 'manifest.json'));
  const config = { model_type: 'vit', hidden_size: 192, image_size: 224, patch_size: 16, num_hidden_layers: 12 };
  const preprocessor = {
    image_processor_type: 'ViTFeatureExtractor',
    do_resize: true,
    size: { shortest_edge: 256 },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: 224, width: 224 },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: MEAN,
    image_std: STD,
  };
  await writeFile(path.join(repository, 'config.json'), JSON.stringify(config));
  await writeFile(path.join(repository, 'preprocessor_config.json'), JSON.stringify(preprocessor));
  return {
    modelFile,
    imprint,
    transformers,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
