// What a call is bounded by, and how it is repeated.

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { AppointmentService } from "../../src/gen/stellwerk/v1/appointment_pb.js";
import { IntegrationService } from "../../src/gen/stellwerk/v1/integration_pb.js";
import { OnboardingService } from "../../src/gen/stellwerk/v1/onboarding_pb.js";
import { PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { Code, connect, ConnectError, type ConnectionOptions, factsOf, isRepeatable, type RetryPolicy } from "../../src/index.js";
import { answering, cut, type Fetch, hanging, network, plainly } from "../support/memory.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 0 }));
afterEach(() => void vi.useRealTimers());

const working = answering(({ service }) => service(PatientService, { listPatients: () => ({}) }));

/** A server that refuses, and says when to come again. */
function refusing(retryDelayMs: number): Fetch {
  const details = [{ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) }) }];
  return answering(({ service }) =>
    service(PatientService, {
      listPatients: () => {
        throw new ConnectError("busy", Code.Unavailable, undefined, details);
      },
    }),
  );
}

function caller(fetch: Fetch, options: Partial<ConnectionOptions> = {}) {
  const connection = connect({ baseUrl: "http://stellwerk.example.org", token: "swk_x", fetch, ...options });
  return {
    patients: connection.client(PatientService),
    appointments: connection.client(AppointmentService),
    integrations: connection.client(IntegrationService),
  };
}

test("a try that hangs is given up after its deadline, and another one answers", async () => {
  const { sent, fetch } = network(hanging, (url, init) => {
    expect(sent[0]!.signal.aborted).toBe(true);
    return working(url, init);
  });

  const answer = caller(fetch).patients.listPatients({});
  await vi.advanceTimersByTimeAsync(29_999);
  const before = sent.length;
  await vi.advanceTimersByTimeAsync(251);

  await expect(answer).resolves.toBeDefined();
  expect([before, sent.length]).toEqual([1, 2]);
  expect(sent.map(({ headers }) => headers.get("grpc-timeout"))).toEqual(["30000m", "30000m"]);
});

test("what a call itself says bounds all its tries together", async () => {
  const { sent, fetch } = network(hanging);

  const facts = caller(fetch, { tryTimeoutMs: 1000 }).patients.listPatients({}, { timeoutMs: 1800 }).catch(factsOf);
  await vi.advanceTimersByTimeAsync(1800);

  expect(await facts).toMatchObject({ code: Code.DeadlineExceeded });
  expect(Date.now()).toBe(1800);
  expect(sent.map(({ headers }) => headers.get("grpc-timeout"))).toEqual(["1000m", "1000m"]);
  expect(sent.map(({ signal }) => signal.aborted)).toEqual([true, true]);
});

test("a call that has less time than a try says so to the server", async () => {
  const { sent, fetch } = network(working);

  await caller(fetch).patients.listPatients({}, { timeoutMs: 1800 });

  expect(sent[0]!.headers.get("grpc-timeout")).toBe("1800m");
});

test("a caller who gives up ends the call, during a try and between two", async () => {
  const [during, between] = [new AbortController(), new AbortController()];
  const [slow, busy] = [network(hanging), network(refusing(5000))];

  const facts = [
    caller(slow.fetch).patients.listPatients({}, { signal: during.signal }).catch(factsOf),
    caller(busy.fetch).patients.listPatients({}, { signal: between.signal }).catch(factsOf),
  ];
  await vi.advanceTimersByTimeAsync(1000);
  during.abort();
  between.abort();

  expect((await Promise.all(facts)).map((fact) => "code" in fact && fact.code)).toEqual([Code.Canceled, Code.Canceled]);
  expect([slow.sent.length, busy.sent.length]).toEqual([1, 1]);
});

test("a token that does not come is waited for no longer than an answer", async () => {
  const { sent, fetch } = network(working);

  const facts = caller(fetch, { token: () => new Promise(() => {}), retry: { attempts: 1 } })
    .patients.listPatients({})
    .catch(factsOf);
  await vi.advanceTimersByTimeAsync(30_000);

  expect(await facts).toMatchObject({ code: Code.DeadlineExceeded });
  expect(sent).toEqual([]);
});

test("who asks to wait for a provider has that long in addition", async () => {
  const { sent, fetch } = network(hanging);

  const facts = caller(fetch, { retry: { attempts: 1 } })
    .appointments.bookAppointment({ waitForProvider: durationFromMs(60_000) })
    .catch(factsOf);
  await vi.advanceTimersByTimeAsync(89_999);
  const before = sent[0]!.signal.aborted;
  await vi.advanceTimersByTimeAsync(1);

  expect(await facts).toMatchObject({ code: Code.DeadlineExceeded });
  expect(before).toBe(false);
  expect(sent[0]!.headers.get("grpc-timeout")).toBe("90000m");
});

test("what may not be repeated is tried once, with a deadline all the same", async () => {
  const { sent, fetch } = network(hanging);

  const facts = caller(fetch).integrations.testIntegration({}).catch(factsOf);
  await vi.advanceTimersByTimeAsync(30_000);

  expect(await facts).toMatchObject({ code: Code.DeadlineExceeded });
  expect(sent).toHaveLength(1);
});

test("what keeps nothing, and what keeps a repeated part once, may be repeated without a key", () => {
  const { previewFieldMapping, saveFieldMapping } = OnboardingService.method;
  const { uploadPatientImportChunk, createPatient } = PatientService.method;
  const { testIntegration, refreshCredential } = IntegrationService.method;

  expect([previewFieldMapping, saveFieldMapping, uploadPatientImportChunk, createPatient].map(isRepeatable)).not.toContain(false);
  expect([testIntegration, refreshCredential].map(isRepeatable)).not.toContain(true);
});

test.each([
  ["broke off midway", cut(working, (body) => body.slice(0, 8))],
  ["ended before its status", cut(working, (body) => body.slice(0, 5))],
  ["was empty", cut(working, () => new Uint8Array())],
  ["was a proxy's", plainly(404)],
])("an answer that %s is asked for again", async (_, broken) => {
  const { sent, fetch } = network(broken, working);

  const answer = caller(fetch).patients.listPatients({});
  await vi.advanceTimersByTimeAsync(250);

  await expect(answer).resolves.toBeDefined();
  expect(sent).toHaveLength(2);
});

test("what fails on this side is not repeated", async () => {
  const { sent, fetch } = network(working);
  let asked = 0;
  const token = () => {
    asked++;
    throw new Error("signed out");
  };

  const facts = [
    caller(fetch, { token }).patients.listPatients({}).catch(factsOf),
    caller(fetch).patients.listPatients({ pageSize: 0.5 }).catch(factsOf),
  ];

  expect((await Promise.all(facts)).map((fact) => "message" in fact && fact.message)).toEqual([
    "signed out",
    expect.stringContaining("page_size"),
  ]);
  expect([asked, sent.length]).toEqual([1, 0]);
});

test.each([
  [undefined, 4],
  [NaN, 1],
])("tries end when there are said to be %s of them", async (attempts, tries) => {
  const { sent, fetch } = network(refusing(0));

  const retry = { attempts, firstMs: undefined } as unknown as Partial<RetryPolicy>;
  const facts = caller(fetch, { retry }).patients.listPatients({}).catch(factsOf);
  // Without a pause the first of them would have no end.
  await vi.advanceTimersByTimeAsync(100);
  const soon = sent.length;
  await vi.advanceTimersByTimeAsync(2000);

  expect(await facts).toMatchObject({ code: Code.Unavailable });
  expect([soon, sent.length]).toEqual([1, tries]);
});

test("a server that names a pause is left alone for so long", async () => {
  const { sent, fetch } = network(refusing(4000), working);

  const answer = caller(fetch).patients.listPatients({});
  await vi.advanceTimersByTimeAsync(3999);
  const before = sent.length;
  await vi.advanceTimersByTimeAsync(1);

  await expect(answer).resolves.toBeDefined();
  expect([before, sent.length]).toEqual([1, 2]);
});

test("a pause that is too long for a caller is told instead of waited for", async () => {
  const { sent, fetch } = network(refusing(10_001));

  const facts = await caller(fetch).patients.listPatients({}).catch(factsOf);

  expect(facts).toMatchObject({ code: Code.Unavailable, retryDelayMs: 10_001 });
  expect(sent).toHaveLength(1);
});

test("a page that came over plain http, which has no `randomUUID`, makes keys all the same", async () => {
  const keys: string[] = [];
  const fetch = answering(({ service }) =>
    service(PatientService, { createPatient: ({ idempotencyKey }) => (keys.push(idempotencyKey), {}) }),
  );
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });

  try {
    for (let write = 0; write < 2; write++) await caller(fetch).patients.createPatient({ lastName: "Muster" });
  } finally {
    vi.unstubAllGlobals();
  }

  expect(keys.map((key) => key.split("-").length)).toEqual([16, 16]);
  expect(keys[0]).not.toBe(keys[1]);
});
