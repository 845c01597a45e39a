import { expect } from "vitest";
import { type SyncLog, type SyncLogService, SyncState } from "../../../src/gen/stellwerk/v1/sync_log_pb.js";
import { ErrorReason, hasEnded, resuming, withChange } from "../../../src/index.js";
import { processed, refused, type Scenarios } from "../../support/world.js";

export const syncLog: Scenarios<typeof SyncLogService> = {
  async listSyncLogs(world) {
    const { integrationId } = await world.linked();
    const { syncLogId } = await world.firstRun(integrationId);

    const { syncLogs } = await world.syncLogs.listSyncLogs({ integrationId, state: SyncState.SUCCEEDED });

    expect(syncLogs.map((run) => run.syncLogId)).toContain(syncLogId);
  },

  async getSyncLog(world) {
    const { integrationId } = await world.linked();
    const { syncLogId } = await world.firstRun(integrationId);

    const { syncLog } = await world.syncLogs.getSyncLog({ syncLogId });

    expect(syncLog).toMatchObject({ integrationId, state: SyncState.SUCCEEDED, errorCount: 0 });
    expect(syncLog?.duration).toBeDefined();
  },

  async watchSyncLog(world) {
    const { syncLogId, gate } = await world.running();
    const seen: SyncLog[] = [];

    const progress = resuming((from, options) => world.syncLogs.watchSyncLog({ syncLogId, ...from }, options), {
      isLast: ({ event }) => event.value !== undefined && hasEnded(event.value.state),
    });
    try {
      for await (const { event } of progress) {
        if (event.case === "snapshot") seen.push(event.value);
        if (event.case === "change") seen.push(withChange(seen.at(-1)!, event.value));
        if (seen.length === 1) gate.admit(1);
        if (processed(seen.at(-1)!) > processed(seen[0]!)) gate.admit(100);
      }
    } finally {
      await gate.close();
    }

    const counted = seen.filter(({ state }) => !hasEnded(state)).map(processed);
    const revisions = seen.map(({ revision }) => revision);
    expect(new Set(counted).size, "counts while it is under way").toBeGreaterThan(1);
    expect(seen.map(processed)).toEqual(seen.map(processed).toSorted((a, b) => a - b));
    expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
    const { syncLog } = await world.syncLogs.getSyncLog({ syncLogId });
    expect(seen.at(-1)).toMatchObject({ state: SyncState.SUCCEEDED, revision: syncLog!.revision });
    expect(processed(seen.at(-1)!)).toBe(processed(syncLog!));
  },

  async startSync(world) {
    const { integrationId } = await world.linked();
    await world.firstRun(integrationId);

    const { syncLog } = await world.syncLogs.startSync({ integrationId });

    expect(syncLog).toMatchObject({ integrationId, state: SyncState.QUEUED });
  },

  async cancelSync(world) {
    // Two requests a minute: the first run is far from its end.
    const { integrationId } = await world.linked({ requestsPerMinute: 2 });
    const { syncLogId } = (await world.syncLogs.listSyncLogs({ integrationId })).syncLogs[0]!;
    await refused(world.syncLogs.startSync({ integrationId }), ErrorReason.SYNC_RUNNING);

    const { syncLog } = await world.syncLogs.cancelSync({ syncLogId });

    // One that waits is over at once, one that has begun when it comes to its next request.
    expect(syncLog!.cancelAsked || syncLog!.state === SyncState.CANCELLED).toBe(true);
  },
};
