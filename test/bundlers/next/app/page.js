import { ImprintError } from '@imprint/web';
import { Answers } from './answers.js';

/** A server component that imports the package: rendered again for every request. */
export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <main>
      <p id="server">rendered by a server with {ImprintError.name}</p>
      <Answers />
    </main>
  );
}
