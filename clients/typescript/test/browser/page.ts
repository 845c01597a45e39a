// Runs in the browser: what the tests ask for, in terms that cross over to Node.

import { AccessService } from "../../src/gen/stellwerk/v1/access_pb.js";
import { AppointmentService } from "../../src/gen/stellwerk/v1/appointment_pb.js";
import { PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { type SyncLog, SyncLogService, SyncState } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { connect, ErrorReason, factsOf, hasEnded, resuming, withChange } from "../../src/index.js";

export interface Asked {
  readonly baseUrl: string;
  readonly token: string;
}

export interface Told {
  readonly code: number;
  readonly reason: string;
  readonly fields: readonly string[];
}

const page = {
  /** A unary call. */
  async timeZone({ baseUrl, token }: Asked): Promise<string> {
    const { settings } = await connect({ baseUrl, token }).client(AccessService).getTenantSettings({});
    return settings!.timeZone;
  },

  /** A refused call, and what its details say. */
  async refusal({ baseUrl, token }: Asked): Promise<Told> {
    const appointments = connect({ baseUrl, token, retry: { attempts: 1 } }).client(AppointmentService);
    const facts = await appointments.getAppointment({ appointmentId: "not an id" }).then(() => undefined, factsOf);
    return {
      code: facts?.code ?? 0,
      reason: ErrorReason[facts?.reason ?? 0] ?? "",
      fields: facts?.fieldViolations.map(({ field }) => field) ?? [],
    };
  },

  /** How often a token was asked for until a call went through. */
  async renewals({ baseUrl, token }: Asked): Promise<number> {
    let asked = 0;
    const renewing = connect({
      baseUrl,
      token: (stale) => {
        asked++;
        return stale === undefined ? "swk_00000000_expired" : token;
      },
    });
    await renewing.client(AccessService).getTenantSettings({});
    return asked;
  },

  /** A write, and whether the browser gives this page all that it keeps for those that came safely. */
  async write({ baseUrl, token }: Asked): Promise<{ patientId: string; isSecure: boolean }> {
    const patients = connect({ baseUrl, token }).client(PatientService);
    const { patient } = await patients.createPatient({ firstName: "Erika", lastName: "Muster" });
    return { patientId: patient!.patientId, isSecure: isSecureContext };
  },

  /** What a screen shows of a run: how far it is, message by message, until it has ended; so far in `shown`. */
  shown: [] as { state: string; processed: number }[],
  async progress({ baseUrl, token }: Asked, syncLogId: string): Promise<void> {
    const syncLogs = connect({ baseUrl, token }).client(SyncLogService);
    const messages = resuming((from, options) => syncLogs.watchSyncLog({ syncLogId, ...from }, options), {
      isLast: ({ event }) => event.value !== undefined && hasEnded(event.value.state),
    });
    let run: SyncLog | undefined;
    for await (const { event } of messages) {
      if (event.case === "snapshot") run = event.value;
      if (event.case === "change") run = withChange(run!, event.value);
      const { state, counts } = run!;
      page.shown.push({ state: SyncState[state] ?? "", processed: counts.reduce((sum, count) => sum + count.processed, 0) });
    }
  },

  /** Watches until `stopWatching`; what came is in `watched`. */
  watched: [] as string[],
  breaks: 0,
  async startWatching({ baseUrl, token }: Asked): Promise<void> {
    const appointments = connect({ baseUrl, token }).client(AppointmentService);
    const changes = resuming((from, options) => appointments.watchAppointments(from, options), {
      signal: abandon.signal,
      backOff: { firstMs: 100, mostMs: 1000 },
      onBreak: () => page.breaks++,
    });
    for await (const { event } of changes) {
      page.watched.push(event.case === "change" ? event.value.change!.appointmentChangeId : (event.case ?? "heartbeat"));
    }
  },
  stopWatching(): void {
    abandon.abort();
  },
};

const abandon = new AbortController();

export type PageApi = typeof page;

declare global {
  interface Window {
    stellwerk: PageApi;
  }
}

window.stellwerk = page;
