'use client';

import '@imprint/web/element';
import { useClassifier } from '@imprint/web/react';
import { useEffect } from 'react';
import { learnAndClassify } from './learn-and-classify.js';

/** A client component, so Next renders it on the server too. */
export function Answers() {
  const { status, error } = useClassifier();
  useEffect(() => {
    globalThis.learnAndClassify = learnAndClassify;
  });
  return <p id="status">{error ? error.message : status}</p>;
}
