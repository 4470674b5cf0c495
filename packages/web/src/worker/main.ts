/** The worker's script: everything but what only a page can do. */

import { Server, type WorkerScope } from './serve.ts';

// No top-level await: some bundlers make classic scripts of workers.
void new Server(globalThis as unknown as WorkerScope).hello();
