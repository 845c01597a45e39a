import { create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import type { UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CreatePatientRequestSchema, PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { withIdempotencyKeys } from "../../src/interceptors.js";

/** Calls CreatePatient with each of these messages, as the transport does, and gives what was sent. */
async function sent(...messages: Message[]): Promise<unknown[]> {
  const arrived: unknown[] = [];
  let made = 0;
  const call = withIdempotencyKeys(() => `key-${++made}`)(async (request) => {
    arrived.push(request.message);
    return {} as UnaryResponse;
  });
  const method: DescMethodUnary = PatientService.method.createPatient;
  for (const message of messages) await call({ stream: false, method, message } as UnaryRequest);
  return arrived;
}

test("two writes of one message are two: each gets a key of its own, and the caller's message none", async () => {
  const message = create(CreatePatientRequestSchema, { firstName: "Erika", lastName: "Muster" });

  const arrived = await sent(message, message);

  expect(arrived).toEqual([
    create(CreatePatientRequestSchema, { firstName: "Erika", lastName: "Muster", idempotencyKey: "key-1" }),
    create(CreatePatientRequestSchema, { firstName: "Erika", lastName: "Muster", idempotencyKey: "key-2" }),
  ]);
  expect(message.idempotencyKey).toBe("");
});

test("a key that the caller chose stays", async () => {
  const message = create(CreatePatientRequestSchema, { lastName: "Muster", idempotencyKey: "form-7" });

  const arrived = await sent(message);

  expect(arrived).toEqual([message]);
});
