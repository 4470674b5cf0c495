import { learnAndClassify } from './learn-and-classify.js';

globalThis.learnAndClassify = learnAndClassify;
