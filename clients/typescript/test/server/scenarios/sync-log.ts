import { expect } from "vitest";
import { type SyncLogService, SyncState } from "../../../src/gen/stellwerk/v1/sync_log_pb.js";
import { ErrorReason, resuming } from "../../../src/index.js";
import { hasEnded, refused, type Scenarios } from "../../support/world.js";

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
    const { integrationId } = await world.linked();
    const { syncLogId } = (await world.syncLogs.listSyncLogs({ integrationId })).syncLogs[0]!;
    const revisions: number[] = [];
    let end: SyncState | undefined;

    const progress = resuming((from, options) => world.syncLogs.watchSyncLog({ syncLogId, ...from }, options), {
      isLast: ({ event }) => event.value !== undefined && hasEnded(event.value.state),
    });
    for await (const { event } of progress) {
      revisions.push(event.value!.revision);
      end = event.value!.state;
    }

    expect(end).toBe(SyncState.SUCCEEDED);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
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
