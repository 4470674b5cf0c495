/** Opens ONNX Runtime for a generated graph of matrix products. */

import { ImprintError } from '@imprint/core';
import type { InferenceSession } from 'onnxruntime-node';
import { onnxRuntime } from './native-modules.ts';

/** A graph of one product takes 150 bytes, one of a dozen more. */
const MANY_PRODUCTS_BYTES = 1000;

/**
 * @param provider `cpu`, or a device that ONNX Runtime offers
 * @param numThreads default one a physical core
 * @throws DEVICE_UNAVAILABLE
 */
export async function openProductSession(
  graph: Uint8Array,
  provider: string,
  numThreads: number | undefined,
): Promise<InferenceSession> {
  // Within a run of many products threads are worth keeping awake.
  const runtime = onnxRuntime();
  const small = graph.length < MANY_PRODUCTS_BYTES;
  try {
    return await runtime.InferenceSession.create(graph, {
      executionProviders: [provider],
      enableMemPattern: false,
      // Long graphs have nothing to gain, and open in two thirds of the time.
      ...(!small && { graphOptimizationLevel: 'disabled' }),
      // Each session has its own threads: the last run's, kept spinning, would take the cores from the next one's.
      extra: { session: { ...(small ? { intra_op: { allow_spinning: '0' } } : { force_spinning_stop: '1' }) } },
      logSeverityLevel: 4,
      ...(numThreads !== undefined && { intraOpNumThreads: numThreads }),
    });
  } catch (cause) {
    // What went wrong stands at the end of ONNX Runtime's long sentences, after its source files' paths.
    const message = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n')[0];
    const reason = message.length > 120 ? `...${message.slice(-117)}` : message;
    throw new ImprintError(
      'DEVICE_UNAVAILABLE',
      `Expected ONNX Runtime to open a matrix product on ${provider}, got "${reason}". Use device 'cpu', or run \`imprint doctor\` to see what this machine offers.`,
      { cause },
    );
  }
}
