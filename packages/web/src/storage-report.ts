/** How a classifier's storage stands. */

import { estimate } from './store/store-errors.ts';
import type { StorageReport } from './web-classifier.ts';

export async function storageReport(kind: StorageReport['kind'], isSaved: boolean): Promise<StorageReport> {
  const { storage } = navigator as { storage?: StorageManager };
  const persisted = (await storage?.persisted?.().catch(() => false)) ?? false;
  const { usage: usageBytes, quota: quotaBytes } = await estimate();
  return { kind, isSaved, persisted, usageBytes, quotaBytes };
}
