/**
 * Continual-learning protocols: which rows arrive when, and which are asked about. Van de Ven, Tuytelaars, Tolias 2022
 * (Three types of incremental learning) for class-, domain- and task-incremental learning; the online stream brings
 * small batches once each, in any order of classes.
 */

import { expected } from '../errors.ts';

export interface ContinualTask {
  readonly name: string;
  /** Rows of the training set that arrive with this task. */
  readonly train: readonly number[];
  /** Rows of the test set that stand for it. */
  readonly test: readonly number[];
}

export interface Protocol {
  readonly name: 'class-incremental' | 'domain-incremental' | 'task-incremental' | 'online';
  readonly tasks: readonly ContinualTask[];
  /** Whether a test row's answer is sought among its own task's classes only: the task is told. */
  readonly taskIsTold: boolean;
}

/**
 * Classes arrive in groups, each once; answers are sought among all classes seen so far.
 * @param train Int32Array: class index of each training row
 * @param test Int32Array: class index of each test row
 * @param order class indices, each once, in their order of arrival
 */
export function classIncremental(
  train: Int32Array,
  test: Int32Array,
  order: readonly number[],
  classesPerTask: number,
): Protocol {
  return { name: 'class-incremental', tasks: tasksOfClasses(train, test, order, classesPerTask), taskIsTold: false };
}

/** The same arrivals, but a test row comes with its task: answers are sought among that task's classes. */
export function taskIncremental(
  train: Int32Array,
  test: Int32Array,
  order: readonly number[],
  classesPerTask: number,
): Protocol {
  return { name: 'task-incremental', tasks: tasksOfClasses(train, test, order, classesPerTask), taskIsTold: true };
}

/**
 * The same classes arrive from one domain after another (photo, then sketch); the domain is not told.
 * @param trainDomains Int32Array: domain of each training row
 * @param testDomains Int32Array: domain of each test row
 * @param order domains, each once, in their order of arrival
 */
export function domainIncremental(
  trainDomains: Int32Array,
  testDomains: Int32Array,
  order: readonly number[],
): Protocol {
  requireEach(order, trainDomains, 'domain');
  const tasks = order.map((domain) => ({
    name: `domain ${domain}`,
    train: rowsWhere(trainDomains, (d) => d === domain),
    test: rowsWhere(testDomains, (d) => d === domain),
  }));
  return { name: 'domain-incremental', tasks, taskIsTold: false };
}

/**
 * Training rows arrive in `stream` order, `batchSize` at a time. A batch's test rows are those of the classes that it
 * is the first to show; a batch that shows no new class has none.
 * @param stream rows of the training set, each at most once
 */
export function onlineStream(
  train: Int32Array,
  test: Int32Array,
  stream: readonly number[],
  batchSize: number,
): Protocol {
  requireBatch('batchSize', batchSize);
  const seen = new Set<number>();
  const tasks: ContinualTask[] = [];
  for (let start = 0; start < stream.length; start += batchSize) {
    const rows = stream.slice(start, start + batchSize);
    const fresh = new Set(rows.map((row) => train[row]).filter((k) => !seen.has(k)));
    for (const k of fresh) seen.add(k);
    tasks.push({ name: `batch ${tasks.length}`, train: rows, test: rowsWhere(test, (k) => fresh.has(k)) });
  }
  return { name: 'online', tasks, taskIsTold: false };
}

function tasksOfClasses(
  train: Int32Array,
  test: Int32Array,
  order: readonly number[],
  classesPerTask: number,
): ContinualTask[] {
  requireBatch('classesPerTask', classesPerTask);
  requireEach(order, train, 'class');
  const tasks: ContinualTask[] = [];
  for (let start = 0; start < order.length; start += classesPerTask) {
    const classes = new Set(order.slice(start, start + classesPerTask));
    tasks.push({
      name: `classes ${[...classes].join(', ')}`,
      train: rowsWhere(train, (k) => classes.has(k)),
      test: rowsWhere(test, (k) => classes.has(k)),
    });
  }
  return tasks;
}

function rowsWhere(values: Int32Array, keep: (value: number) => boolean): number[] {
  const rows: number[] = [];
  for (let i = 0; i < values.length; i++) if (keep(values[i])) rows.push(i);
  return rows;
}

function requireBatch(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw expected(name, 'a positive integer', value);
}

function requireEach(order: readonly number[], values: Int32Array, what: string): void {
  const listed = new Set(order);
  if (listed.size !== order.length) throw expected('order', `each ${what} once`, order.join(', '));
  for (const value of values)
    if (!listed.has(value)) throw expected('order', `every ${what} of the training rows`, order.join(', '));
}
