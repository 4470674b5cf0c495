/** What Vite adds to a module: style sheets as imports, and how it was built. */

declare module '*.css';

interface ImportMeta {
  readonly env: { readonly DEV: boolean };
}
