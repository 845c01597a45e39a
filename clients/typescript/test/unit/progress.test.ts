import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SyncLogChangeSchema, SyncLogSchema, SyncState } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { hasEnded, withChange } from "../../src/index.js";

const count = (noun: string, processed: number) => ({ noun, processed, total: 9, repaired: 0 });

test("what a change does not name stays, and what it names is replaced in its place or added behind", () => {
  const run = create(SyncLogSchema, {
    syncLogId: "r1",
    state: SyncState.RUNNING,
    counts: [count("event_types", 2), count("bookings", 3)],
    errors: [{ subject: "event_type/1", reason: "A" }],
  });
  const change = create(SyncLogChangeSchema, {
    state: SyncState.RUNNING,
    stage: "bookings",
    counts: [count("slots", 1), count("event_types", 7)],
    errors: [{ subject: "booking/9", reason: "B" }],
    errorCount: 2,
    revision: 5,
  });

  const after = withChange(run, change);

  expect(after).toMatchObject({ syncLogId: "r1", stage: "bookings", errorCount: 2, revision: 5 });
  expect(after.counts.map(({ noun, processed }) => [noun, processed])).toEqual([
    ["event_types", 7],
    ["bookings", 3],
    ["slots", 1],
  ]);
  expect(after.errors.map(({ reason }) => reason)).toEqual(["A", "B"]);
  expect(after.endTime).toBeUndefined();
  expect(run.counts[0]!.processed).toBe(2);
});

test("a run has ended when nothing more happens to it", () => {
  const ended = [SyncState.SUCCEEDED, SyncState.PARTIAL, SyncState.FAILED, SyncState.CANCELLED];

  expect(ended.map(hasEnded)).not.toContain(false);
  expect([SyncState.UNSPECIFIED, SyncState.QUEUED, SyncState.RUNNING].map(hasEnded)).not.toContain(true);
});
