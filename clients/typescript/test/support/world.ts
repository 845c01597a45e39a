// A tenant of a test's own, with somebody to call as.

import { createHmac, randomUUID } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, inject } from "vitest";
import { AccessService } from "../../src/gen/stellwerk/v1/access_pb.js";
import type { Role } from "../../src/gen/stellwerk/v1/access_rule_pb.js";
import { AlertService } from "../../src/gen/stellwerk/v1/alert_pb.js";
import { type Appointment, AppointmentService } from "../../src/gen/stellwerk/v1/appointment_pb.js";
import { type Integration, IntegrationService } from "../../src/gen/stellwerk/v1/integration_pb.js";
import { OnboardingService } from "../../src/gen/stellwerk/v1/onboarding_pb.js";
import { type Patient, PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { PlanningService } from "../../src/gen/stellwerk/v1/planning_pb.js";
import { PrivacyService } from "../../src/gen/stellwerk/v1/privacy_pb.js";
import { type ReviewItem, ReviewKind, ReviewService, ReviewState } from "../../src/gen/stellwerk/v1/review_pb.js";
import { type SyncLog, SyncLogService } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { SignatureScheme, WebhookService } from "../../src/gen/stellwerk/v1/webhook_pb.js";
import {
  connect,
  type Connection,
  type ConnectionOptions,
  type ErrorReason,
  hasEnded,
  isStellwerkError,
} from "../../src/index.js";
import { CalcomAccount } from "./calcom.js";
import { Gate } from "./gate.js";

/** One working scenario for each rpc of a service: the type lacks none. */
export type Scenarios<S extends DescService> = { readonly [M in keyof S["method"]]: (world: World) => Promise<void> };

/** A connection to the server of this run. */
export function as(token: string, options: Partial<ConnectionOptions> = {}): Connection {
  return connect({ baseUrl: inject("stellwerk").baseUrl, token, ...options });
}

export class World {
  readonly access;
  readonly patients;
  readonly appointments;
  readonly webhooks;
  readonly integrations;
  readonly syncLogs;
  readonly reviews;
  readonly alerts;
  readonly onboarding;
  readonly planning;
  readonly privacy;

  private constructor(
    readonly adminKey: string,
    readonly admin: Connection,
  ) {
    this.access = admin.client(AccessService);
    this.patients = admin.client(PatientService);
    this.appointments = admin.client(AppointmentService);
    this.webhooks = admin.client(WebhookService);
    this.integrations = admin.client(IntegrationService);
    this.syncLogs = admin.client(SyncLogService);
    this.reviews = admin.client(ReviewService);
    this.alerts = admin.client(AlertService);
    this.onboarding = admin.client(OnboardingService);
    this.planning = admin.client(PlanningService);
    this.privacy = admin.client(PrivacyService);
  }

  /** The tenant of this key, perhaps at another server than this run's. */
  static of(baseUrl: string, adminKey: string): World {
    return new World(adminKey, as(adminKey, { baseUrl }));
  }

  static async create(): Promise<World> {
    const operator = as(inject("operatorKey")).client(AccessService);
    const { adminApiKeySecret } = await operator.createTenant({ name: `Praxis ${randomUUID()}`, timeZone: "Europe/Berlin" });
    return new World(adminApiKeySecret, as(adminApiKeySecret));
  }

  /** A connection as a patient or practitioner, by an API key whose subject is linked to them. */
  async personal(role: Role, person: { case: "patientId" | "practitionerId"; value: string }): Promise<Connection> {
    const { apiKey, secret } = await this.access.createApiKey({ name: "personal", role });
    await this.access.linkSubject({ issuer: "api_key", subject: apiKey!.apiKeyId, person });
    return as(secret);
  }

  async practitioner(name = "Dr. Max Beispiel"): Promise<string> {
    const { practitioner } = await this.access.putPractitioner({ name });
    return practitioner!.practitionerId;
  }

  async patient(fields: Partial<Patient> = {}): Promise<Patient> {
    const { firstName = "Erika", lastName = "Muster", email = `${randomUUID()}@example.org` } = fields;
    const { patient } = await this.patients.createPatient({ firstName, lastName, email, birthDate: fields.birthDate ?? "" });
    return patient!;
  }

  async booking(practitionerId?: string, inHours = 24): Promise<Appointment> {
    const { appointment } = await this.appointments.bookAppointment({
      patientId: (await this.patient()).patientId,
      practitionerId: practitionerId ?? (await this.practitioner(`Dr. Max Beispiel ${randomUUID()}`)),
      startTime: inFuture(inHours),
      duration: durationFromMs(30 * 60_000),
    });
    return appointment!;
  }

  /** A link with an account at Cal.com, a fresh one unless said; its first run may still be under way. */
  async linked(more: { account?: CalcomAccount; instanceUrl?: string; requestsPerMinute?: number } = {}): Promise<Integration> {
    const { account = await CalcomAccount.create(), requestsPerMinute = 0 } = more;
    const { apiKey } = account;
    const { instanceUrl = account.instanceUrl } = more;
    const { integration } = await this.integrations.createIntegration({
      provider: "calcom",
      name: "Kalender",
      apiKey,
      instanceUrl,
      requestsPerMinute,
    });
    return integration!;
  }

  /**
   * A first run that is under way: it waits at the gate for its bookings, five of them, and again for those that changed meanwhile.
   * Let one request pass, and it has counted more than before and goes on.
   */
  async running(): Promise<{ syncLogId: string; gate: Gate }> {
    const account = await CalcomAccount.create();
    for (let hour = 24; hour < 29; hour++) await account.book(inFuture(hour));
    const gate = await Gate.shutFor("/v2/bookings");
    const { integrationId } = await this.linked({ account, instanceUrl: gate.instanceUrl });
    const { syncLogs } = await this.syncLogs.listSyncLogs({ integrationId });
    return { syncLogId: syncLogs[0]!.syncLogId, gate };
  }

  /** What somebody must decide: at Cal.com a time is booked that was taken here before the two were linked. */
  async conflicts(): Promise<ReviewItem[]> {
    const account = await CalcomAccount.create();
    const taken = await this.booking(await this.practitioner(account.name), 24);
    await account.book(taken.startTime!);
    await this.linked({ account });
    return eventually(async () => {
      const { reviewItems } = await this.reviews.listReviewItems({ kind: ReviewKind.CONFLICT, state: ReviewState.OPEN });
      return reviewItems.length > 0 ? reviewItems : undefined;
    });
  }

  /** The first run of an integration, at its end. */
  async firstRun(integrationId: string): Promise<SyncLog> {
    return eventually(async () => {
      const { syncLogs } = await this.syncLogs.listSyncLogs({ integrationId });
      const first = syncLogs.at(-1);
      return first && hasEnded(first.state) ? first : undefined;
    });
  }

  /** Posts a signed event as a booking tool of this tenant does. */
  async deliver(event: object): Promise<string> {
    const { webhookEndpoint, secret } = await this.webhooks.createWebhookEndpoint({
      provider: "booking",
      name: "tests",
      scheme: SignatureScheme.LEGACY,
    });
    const body = JSON.stringify(event);
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const answer = await fetch(inject("stellwerk").httpUrl + new URL(webhookEndpoint!.url).pathname, {
      method: "POST",
      headers: { "content-type": "application/json", "x-webhook-signature": signature },
      body,
    });
    expect(answer.status).toBe(200);
    return webhookEndpoint!.webhookEndpointId;
  }
}

/** How much a run has done. */
export function processed({ counts }: Pick<SyncLog, "counts">): number {
  return counts.reduce((sum, count) => sum + count.processed, 0);
}

/** An instant some hours from now, on the second. */
export function inFuture(hours: number) {
  return timestampFromDate(new Date(Math.floor(Date.now() / 1000 + hours * 3600) * 1000));
}

/** Expects a refusal for this reason. */
export async function refused(call: Promise<unknown>, reason: ErrorReason): Promise<void> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error, "a refusal").toSatisfy((error) => isStellwerkError(error, reason));
}

/** Waits for a state that something else brings about. */
export async function eventually<T>(look: () => Promise<T | undefined>, patienceMs = 15_000): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error("it did not happen in time");
    await new Promise((done) => setTimeout(done, 50));
  }
}
