// A run as it stands, out of the changes that a watch tells.

import { type SyncLog, type SyncLogChange, SyncState } from "./gen/stellwerk/v1/sync_log_pb.js";

/** Whether nothing more happens to a run in this state. */
export function hasEnded(state: SyncState): boolean {
  return ![SyncState.UNSPECIFIED, SyncState.QUEUED, SyncState.RUNNING].includes(state);
}

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
  // What is set again keeps its place.
  const byNoun = new Map([...run.counts, ...counts].map((count) => [count.noun, count]));
  return {
    ...run,
    ...rest,
    counts: [...byNoun.values()],
    errors: [...run.errors, ...errors],
    ...(endTime && { endTime }),
    ...(duration && { duration }),
  };
}
