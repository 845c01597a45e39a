// Watches that go on over broken connections, against a real server: none of the changes lost, none told twice.

import { expect, test } from "vitest";
import { AppointmentService, AppointmentStatus, type WatchAppointmentsResponse } from "../../src/gen/stellwerk/v1/appointment_pb.js";
import { IntegrationService, type IntegrationStatus } from "../../src/gen/stellwerk/v1/integration_pb.js";
import { SyncLogService, SyncState } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { Code, hasEnded, type ResumeOptions, resuming } from "../../src/index.js";
import { Stellwerk } from "../support/stellwerk.js";
import { as, inFuture, World } from "../support/world.js";

const QUICKLY = { firstMs: 1, mostMs: 2 };

/** A network on which every connection breaks as soon as more is asked of it than the first that came. */
const breaking: typeof fetch = async (input, init) => {
  const answer = await fetch(input, init);
  const reader = answer.body!.getReader();
  let hasGiven = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (hasGiven) {
          await reader.cancel();
          return controller.error(new TypeError("the connection broke off"));
        }
        const { value } = await reader.read();
        hasGiven = true;
        if (value) controller.enqueue(value);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status: answer.status, headers: answer.headers });
};

test("a run is followed to its end over broken connections", async () => {
  const world = await World.create();
  const { syncLogId, gate } = await world.running();
  const syncLogs = as(world.adminKey, { fetch: breaking }).client(SyncLogService);
  const from: string[] = [];
  const told: string[] = [];
  const revisions: number[] = [];
  let end: SyncState | undefined;

  const progress = resuming(
    (place, options) => {
      from.push(place.resumeToken);
      return syncLogs.watchSyncLog({ syncLogId, ...place }, options);
    },
    { backOff: QUICKLY, isLast: ({ event }) => event.value !== undefined && hasEnded(event.value.state) },
  );
  try {
    for await (const { event, resumeToken } of progress) {
      told.push(resumeToken);
      if (event.value === undefined) continue;
      revisions.push(event.value.revision);
      end = event.value.state;
      gate.admit(1);
    }
  } finally {
    await gate.close();
  }

  expect(end).toBe(SyncState.SUCCEEDED);
  expect(revisions.length).toBeGreaterThan(2);
  expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
  expect(from.length).toBeGreaterThan(2);
  // Each goes on behind the last message that came.
  expect(["", ...told]).toEqual(expect.arrayContaining(from));
  expect(revisions.at(-1)).toBe((await world.syncLogs.getSyncLog({ syncLogId })).syncLog?.revision);
});

test("an integration is watched over broken connections", async () => {
  const world = await World.create();
  const { integrationId } = await world.linked();
  await world.firstRun(integrationId);
  const integrations = as(world.adminKey, { fetch: breaking }).client(IntegrationService);
  const names = ["Eins", "Zwei", "Drei"];
  const from: string[] = [];
  const seen: IntegrationStatus[] = [];

  const dashboards = resuming(
    (place, options) => {
      from.push(place.resumeToken);
      return integrations.watchIntegrationStatus({ integrationId, ...place }, options);
    },
    { backOff: QUICKLY, isLast: ({ status }) => status?.integration?.name === "Drei" },
  );
  for await (const { status } of dashboards) {
    seen.push(status!);
    const name = names[names.indexOf(status!.integration!.name) + 1];
    if (name) await world.integrations.updateIntegration({ integrationId, name, updateMask: { paths: ["name"] } });
  }

  expect([...new Set(seen.map(({ integration }) => integration!.name))]).toEqual(["Kalender", ...names]);
  seen.slice(1).forEach((status, index) => expect(status).not.toEqual(seen[index]));
  expect(from.length).toBeGreaterThan(2);
  expect(from.slice(1)).not.toContain("");
});

test("appointments are watched over broken connections, with the same request each time", async () => {
  const world = await World.create();
  const practitionerId = await world.practitioner();
  const { appointmentId } = await world.booking(practitionerId, 24);
  const appointments = as(world.adminKey, { fetch: breaking }).client(AppointmentService);
  const snapshotStartTimeFrom = inFuture(0);
  const steps = [
    () => world.appointments.rescheduleAppointment({ appointmentId, startTime: inFuture(48) }),
    () => world.appointments.rescheduleAppointment({ appointmentId, startTime: inFuture(72) }),
    () => world.appointments.cancelAppointment({ appointmentId }),
  ];
  const from: string[] = [];
  const snapshot: string[] = [];
  const watched: string[] = [];

  const changes = resuming(
    (place, options) => {
      from.push(place.resumeToken);
      return appointments.watchAppointments({ practitionerId, snapshotStartTimeFrom, ...place }, options);
    },
    {
      backOff: QUICKLY,
      isLast: ({ event }) => event.case === "change" && event.value.change!.status === AppointmentStatus.CANCELLED,
    },
  );
  for await (const { event } of changes) {
    if (event.case === "snapshot") snapshot.push(event.value.appointmentId);
    if (event.case === "change") watched.push(event.value.change!.appointmentChangeId);
    if (event.case === "change" || event.case === "snapshotEnd") await steps.shift()?.();
  }

  const history = (await world.appointments.getAppointmentHistory({ appointmentId })).changes.map((one) => one.appointmentChangeId);
  expect(snapshot).toEqual([appointmentId]);
  // That it was booked just before may be among the changes, or not.
  expect(watched.length).toBeGreaterThan(2);
  expect(watched).toEqual(history.slice(-watched.length));
  expect(from.length).toBeGreaterThan(2);
  expect(from.slice(1)).not.toContain("");
});

test("a server without a place for another stream says when to come again, and has one then", async () => {
  const server = await Stellwerk.start({ STELLWERK_MAX_CONCURRENT_STREAMS: "1" });
  try {
    const { appointments } = World.of(server.address.baseUrl, server.address.adminKey);
    const [first, second] = [new AbortController(), new AbortController()];
    const snapshotStartTimeFrom = inFuture(0);
    const watch = (options: ResumeOptions<WatchAppointmentsResponse>) =>
      resuming((from, options) => appointments.watchAppointments({ snapshotStartTimeFrom, ...from }, options), options);
    const pauses: [Code | undefined, number][] = [];
    // At the latest the end of the snapshot is a message.
    await watch({ signal: first.signal }).next();

    const waiting = watch({
      signal: second.signal,
      onBreak: (error, pauseMs) => {
        pauses.push([error?.code, pauseMs]);
        first.abort();
      },
    });
    const { done } = await waiting.next();
    second.abort();

    expect(done).toBe(false);
    expect(pauses[0]).toEqual([Code.Unavailable, 1000]);
  } finally {
    await server.remove();
  }
});
