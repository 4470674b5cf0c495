/** `npm run demo:web`: serves the built demo on this machine with the headers that it needs, and says where. */

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheControl, HEADERS } from './headers.mjs';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};
const MOST_PORTS = 20;

const root = fileURLToPath(new URL('./dist/', import.meta.url));
if (!existsSync(path.join(root, 'index.html'))) {
  console.error('Expected the built demo in packages/demo/dist, got none. Run `npm run build` first.');
  process.exit(1);
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  let file;
  try {
    file = path.join(root, path.normalize(decodeURIComponent(pathname)));
  } catch {
    file = root;
  }
  if (file.endsWith(path.sep)) file += 'index.html';
  const inside = file.startsWith(root) && !file.includes('\0') && existsSync(file) && statSync(file).isFile();
  if (!inside) {
    response.writeHead(404, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' });
    response.end(`Not found: ${pathname}\n`);
    return;
  }
  response.writeHead(200, {
    ...HEADERS,
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-length': statSync(file).size,
    'cache-control': cacheControl(pathname),
  });
  if (request.method === 'HEAD') response.end();
  else createReadStream(file).pipe(response);
});

const first = Number(process.env.PORT ?? 4173);
let port = first;
server.on('error', (error) => {
  if (error.code !== 'EADDRINUSE' || ++port >= first + MOST_PORTS) throw error;
  server.listen(port, '127.0.0.1');
});
server.on('listening', () => {
  console.log(`\nThe demo is at http://localhost:${server.address().port}/ (Ctrl+C ends it).`);
  console.log('It loads some 10 MB once, and works offline from then on.');
});
server.listen(port, '127.0.0.1');
