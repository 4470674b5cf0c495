/** One door to what is seldom asked for, so that a bundler can make one file of it that is loaded when it is. */

import type * as Seldom from './seldom.ts';

export const loadSeldom = (): Promise<typeof Seldom> => import('./seldom.ts');
