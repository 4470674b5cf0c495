/** Temporary until heads/ land. */
import { expected } from './errors.ts';
import type { Head } from './head.ts';

const ncm: Head = {
  name: 'nearest-class-mean',
  fit(memory) {
    const { width, numClasses: C, numExamples: n, codes, sums, classIndices } = memory;
    const score = (q: Int8Array, at: number, c: number, minus?: boolean) => {
      let dot = 0,
        norm = 0;
      for (let j = 0; j < width; j++) {
        const s = sums[c * width + j] - (minus ? q[at + j] : 0);
        dot += s * q[at + j];
        norm += s * s;
      }
      return norm > 0 ? dot / Math.sqrt(norm) : 0;
    };
    return Promise.resolve({
      numClasses: C,
      report: { head: 'nearest-class-mean', parameters: {}, reason: 'temporary' },
      scoresInto(q, m, out) {
        for (let i = 0; i < m; i++) for (let c = 0; c < C; c++) out[i * C + c] = score(q, i * width, c);
      },
      leaveOneOut() {
        const out = new Float64Array(n * C);
        for (let i = 0; i < n; i++)
          for (let c = 0; c < C; c++) out[i * C + c] = score(codes, i * width, c, classIndices[i] === c);
        return out;
      },
    });
  },
};
export function headNamed(name: string): Head {
  if (name === 'auto' || name === ncm.name) return ncm;
  throw expected('head', '"auto" or "nearest-class-mean"', name);
}
