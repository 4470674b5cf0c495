/** Teach it pictures, then show it one. Run: `npx vite packages/web/examples/react`. */

import type { Prediction } from '@imprint/web';
import { useClassifier } from '@imprint/web/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

function Classifier() {
  const { classifier, status, error, classes, notices } = useClassifier({ store: 'react-example' });
  const [label, setLabel] = useState('');
  const [prediction, setPrediction] = useState<Prediction>();
  const [problem, setProblem] = useState('');

  if (status === 'error') return <p role="alert">{error?.message}</p>;
  if (classifier === undefined) return <p role="status">Loading the model…</p>;

  async function learn(files: FileList) {
    for (const file of files) await classifier?.addExample(label, file);
  }
  async function classify(files: FileList) {
    if (files.length > 0) setPrediction(await classifier?.classify(files[0]));
  }
  const tell = (work: Promise<void>) => {
    setProblem('');
    work.catch((reason: unknown) => setProblem(String(reason)));
  };

  return (
    <>
      <label>
        Class <input value={label} onChange={(event) => setLabel(event.target.value)} />
      </label>
      <label>
        Learn{' '}
        <input
          type="file"
          accept="image/*"
          multiple
          disabled={label === ''}
          onChange={(event) => tell(learn(event.target.files!))}
        />
      </label>
      <ul>
        {classes.map(({ label, count }) => (
          <li key={label}>
            {label}: {count} <button onClick={() => tell(classifier.removeClass(label))}>Forget {label}</button>
          </li>
        ))}
      </ul>
      <label>
        What is this?{' '}
        <input
          type="file"
          accept="image/*"
          disabled={classes.length === 0}
          onChange={(event) => tell(classify(event.target.files!))}
        />
      </label>
      {prediction && (
        <output>
          {prediction.label ?? 'unknown'} ({Math.round(prediction.confidence * 100)} %)
        </output>
      )}
      {problem && <p role="alert">{problem}</p>}
      <small>
        {classifier.device.inWords}. {notices.at(-1)?.message}
      </small>
    </>
  );
}

createRoot(document.querySelector('#app')!).render(
  <StrictMode>
    <Classifier />
  </StrictMode>,
);
