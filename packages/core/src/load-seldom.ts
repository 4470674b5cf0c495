/** One door to what is seldom asked for, so that a bundler can make one file of it that is loaded when it is. */

export const loadSeldom = (): Promise<typeof import('./seldom.ts')> => import('./seldom.ts');
