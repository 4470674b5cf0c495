/** The camera's picture, wherever it is shown a second time. */

import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { facing, stream } from '../state/camera.ts';

export function LiveVideo(): JSX.Element {
  const element = useRef<HTMLVideoElement>(null);
  const source = stream.value;
  useEffect(() => {
    if (element.current !== null) element.current.srcObject = source ?? null;
  }, [source]);
  const mirrored = facing.value === 'user' ? 'thumb thumb-live mirrored' : 'thumb thumb-live';
  return <video ref={element} class={mirrored} autoPlay muted playsInline aria-hidden="true" />;
}
