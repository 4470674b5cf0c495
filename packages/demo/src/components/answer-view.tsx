/** The answer: a name or an honest "unknown", calibrated bars, and the examples that are most alike. */

import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { Prediction } from '@imprint/web';
import { answer, subject } from '../state/ask.ts';
import { learned } from '../state/session.ts';
import { Thumbnail } from './thumbnail.tsx';

/** A live answer is read aloud only once it has stood this long. */
const SETTLED_MS = 1200;
/** Letters that fit beside the share in the large size. */
const LONG = 20;

export function AnswerView(): JSX.Element | null {
  const now = answer.value;
  const isKnowing = learned.value.length > 0;
  if (!isKnowing) return <p class="hint look-hint">Give a class a few pictures first: then it answers here.</p>;
  if (now === undefined) {
    if (subject.value.kind === 'none') return null;
    return <p class="hint look-hint">Looking…</p>;
  }
  const { prediction } = now;
  return (
    <div class={prediction.known ? 'answer' : 'answer is-unknown'}>
      <Verdict prediction={prediction} />
      <Bars prediction={prediction} />
      <Nearest prediction={prediction} />
      <Spoken prediction={prediction} />
    </div>
  );
}

/** "97 %"; never "100 %" where something is left for another class. */
export function percent(share: number): string {
  const rounded = Math.round(100 * share);
  if (rounded === 100 && share < 0.9995) return '> 99 %';
  if (rounded === 0 && share > 0.0005) return '< 1 %';
  return `${rounded} %`;
}

function Verdict({ prediction }: { readonly prediction: Prediction }): JSX.Element {
  const { label, confidence, ranking } = prediction;
  if (label === null) {
    return (
      <div class="verdict">
        <p class="verdict-label">Unknown</p>
        <p class="verdict-why">
          Not like anything you have shown me. {ranking[0] && `Closest is ${ranking[0].label}.`}
        </p>
      </div>
    );
  }
  const isAlone = learned.value.length === 1;
  return (
    <div class="verdict">
      <p class={label.length > LONG ? 'verdict-label is-long' : 'verdict-label'}>
        <span>{label}</span> {!isAlone && <span class="verdict-share">{percent(confidence)}</span>}
      </p>
      {isAlone && <p class="verdict-why">The only class so far. Show me a second one to compare it with.</p>}
    </div>
  );
}

function Bars({ prediction }: { readonly prediction: Prediction }): JSX.Element | null {
  const { ranking, known } = prediction;
  if (learned.value.length < 2) return null;
  return (
    <section aria-label={known ? 'How sure' : 'If it had to be one of these'}>
      {!known && <p class="hint">If it had to be one of these:</p>}
      <ol class="bars">
        {ranking.map(({ label, probability }) => (
          <li key={label}>
            <span class="bar-label">{label}</span>
            <span class="bar" aria-hidden="true">
              <span style={{ transform: `scaleX(${probability})` }} />
            </span>
            <span class="bar-share">{percent(probability)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Nearest({ prediction }: { readonly prediction: Prediction }): JSX.Element | null {
  const { nearest } = prediction;
  if (nearest.length === 0) return null;
  return (
    <section aria-label="Most alike">
      <h3 class="small-title">Most alike</h3>
      <ul class="nearest">
        {nearest.map(({ id, label, similarity, source }) => (
          <li key={`${label} ${id}`} title={source}>
            <Thumbnail id={id} name={`An example of ${label}`} />
            <span class="nearest-label">{label}</span>
            <span class="nearest-share">
              <span class="visually-hidden">similarity </span>
              {similarity.toFixed(2)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** For screen readers: the answer in words, without every flicker of a live camera. */
function Spoken({ prediction }: { readonly prediction: Prediction }): JSX.Element {
  const words = prediction.known ? `It is ${prediction.label}.` : 'Unknown: not like anything you have shown me.';
  const [settled, setSettled] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSettled(words), subject.value.kind === 'camera' ? SETTLED_MS : 0);
    return () => clearTimeout(timer);
  }, [words]);
  return (
    <p class="visually-hidden" role="status">
      {settled}
    </p>
  );
}
