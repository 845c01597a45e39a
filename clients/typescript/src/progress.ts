// A run as it stands, out of the changes that a watch tells.

import type { SyncLog, SyncLogChange } from "./gen/stellwerk/v1/sync_log_pb.js";

/**
 * The run after a change: what a change does not name stays.
 *
 * ```ts
 * for await (const { event } of messages) {
 *   if (event.case === "snapshot") run = event.value;
 *   if (event.case === "change") run = withChange(run, event.value);
 * }
 * ```
 */
export function withChange(run: SyncLog, change: SyncLogChange): SyncLog {
  const { $typeName: _, $unknown: __, counts, errors, endTime, duration, ...rest } = change;
  const stayed = run.counts.filter(({ noun }) => !counts.some((count) => count.noun === noun));
  return {
    ...run,
    ...rest,
    counts: [...stayed, ...counts],
    errors: [...run.errors, ...errors],
    ...(endTime && { endTime }),
    ...(duration && { duration }),
  };
}
