// What the hand-written part promises, against a real server.

import { expect, inject, test } from "vitest";
import { AccessService } from "../../src/gen/stellwerk/v1/access_pb.js";
import { AppointmentService } from "../../src/gen/stellwerk/v1/appointment_pb.js";
import { PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { Code, ErrorReason, factsOf } from "../../src/index.js";
import { as, World } from "../support/world.js";

const NOBODYS = "01890000-0000-7000-8000-000000000000";

/** A network that breaks off the answers to the first `count` calls, after they arrived. */
function losingAnswers(count: number) {
  const sent: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const answer = await globalThis.fetch(input, init);
    sent.push(String(input));
    if (sent.length > count) return answer;
    await answer.arrayBuffer();
    throw new TypeError("the connection broke off");
  };
  return { sent, fetch };
}

test("a refusal says reason, metadata and fields", async () => {
  const { patients, appointments } = await World.create();

  const missing = await patients.createPatient({ firstName: "Nobody" }).catch(factsOf);
  const unknown = await appointments.getAppointment({ appointmentId: NOBODYS }).catch(factsOf);
  const ours = await as("swk_00000000_nonsense").client(AccessService).getTenantSettings({}).catch(factsOf);

  expect(missing).toMatchObject({ code: Code.InvalidArgument, reason: ErrorReason.INVALID_FIELD });
  expect(missing).toHaveProperty("fieldViolations.0.field", "last_name");
  expect(unknown).toMatchObject({ code: Code.NotFound, reason: ErrorReason.APPOINTMENT_NOT_FOUND, fieldViolations: [] });
  expect(ours).toMatchObject({ code: Code.Unauthenticated, reason: ErrorReason.API_KEY_UNKNOWN });
});

test("what is no answer of stellwerk's has no reason", async () => {
  const nowhere = as("x", { baseUrl: "http://127.0.0.1:1", retry: { attempts: 1 } });

  const facts = await nowhere.client(AccessService).getTenantSettings({}).catch(factsOf);

  expect(facts).toMatchObject({ reason: ErrorReason.UNSPECIFIED, metadata: {}, retryDelayMs: undefined });
});

test("a write whose answer is lost is repeated with the same key and done once", async () => {
  const world = await World.create();
  const network = losingAnswers(2);
  const { patients } = { patients: as(world.adminKey, { fetch: network.fetch, retry: { firstMs: 1 } }).client(PatientService) };

  const { patient } = await patients.createPatient({ firstName: "Erika", lastName: "Muster" });

  const listed = await world.patients.listPatients({});
  expect(network.sent).toHaveLength(3);
  expect(listed.patients.map(({ patientId }) => patientId)).toEqual([patient!.patientId]);
});

test("what is refused is not repeated", async () => {
  const world = await World.create();
  const network = losingAnswers(0);
  const appointments = as(world.adminKey, { fetch: network.fetch }).client(AppointmentService);

  await expect(appointments.getAppointment({ appointmentId: NOBODYS })).rejects.toThrow();

  expect(network.sent).toHaveLength(1);
});

test("a refused token is asked for anew, once", async () => {
  const world = await World.create();
  const asked: (string | undefined)[] = [];
  const renewing = as("", {
    token: (stale) => {
      asked.push(stale);
      return stale === undefined ? "swk_00000000_expired" : world.adminKey;
    },
  });

  await renewing.client(AccessService).getTenantSettings({});

  expect(asked).toEqual([undefined, "swk_00000000_expired"]);
});

test("a token that stays refused ends in the refusal, without a loop", async () => {
  const asked: (string | undefined)[] = [];
  const hopeless = as("", {
    token: (stale) => {
      asked.push(stale);
      return "swk_00000000_expired";
    },
  });

  const facts = await hopeless.client(AccessService).getTenantSettings({}).catch(factsOf);

  expect(facts).toMatchObject({ reason: ErrorReason.API_KEY_UNKNOWN });
  expect(asked).toHaveLength(2);
});

test("an abandoned call ends at once", async () => {
  const world = await World.create();

  const facts = await world.access.getTenantSettings({}, { signal: AbortSignal.abort() }).catch(factsOf);

  expect(facts).toMatchObject({ code: Code.Canceled });
});

test("a base URL may end in a slash", async () => {
  const { adminKey } = await World.create();

  const slashed = as(adminKey, { baseUrl: `${inject("stellwerk").baseUrl}/` });

  await expect(slashed.client(AccessService).getTenantSettings({})).resolves.toBeDefined();
});
