export const POLICY: string;
export const HEADERS: Record<string, string>;
export function cacheControl(pathname: string): string;
