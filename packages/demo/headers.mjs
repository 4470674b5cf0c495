/** What the demo's answers must say: this origin and nothing else, no eval, no inline script, isolated (so that WASM has threads). */

/** Directives that a page may also state in a meta tag. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "style-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Sent with every answer. */
export const HEADERS = {
  'content-security-policy': `${POLICY}; frame-ancestors 'none'`,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Names under `assets/` hold a hash of their content: a browser may keep them. Everything else is asked for again. */
export function cacheControl(pathname) {
  return /(^|\/)assets\/(?!engines\.json)/.test(pathname) ? 'public, max-age=31536000, immutable' : 'no-cache';
}
