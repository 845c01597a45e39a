import { create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamRequest, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CreatePatientRequestSchema, PatientService } from "../../src/gen/stellwerk/v1/patient_pb.js";
import { withIdempotencyKeys, withToken } from "../../src/interceptors.js";

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

test("a stream's refused token is asked to be replaced, also when another call had asked for its own before", async () => {
  const asked: (string | undefined)[] = [];
  let giveOld = () => {};
  const tokens = [
    "old",
    new Promise<string>((done) => (giveOld = () => done("old"))),
    new Promise<string>(() => {}),
  ] as const;
  const send = withToken((stale) => (asked.push(stale), tokens[asked.length - 1]))(async (request) => {
    if (request.stream) throw new ConnectError("expired", Code.Unauthenticated);
    return {} as UnaryResponse;
  });
  const unary = { stream: false, header: new Headers() } as UnaryRequest;
  const stream = { stream: true, header: new Headers() } as StreamRequest;

  // The stream has its token and is on its way when the unary call asks; then it is refused, and then the call has its token.
  const refusal = send(stream).catch(() => undefined);
  const answer = send(unary);
  await refusal;
  giveOld();
  await answer;
  void send(stream);

  expect(asked).toEqual([undefined, undefined, "old"]);
});

test("once there is another token, it is no longer asked for one", async () => {
  const asked: (string | undefined)[] = [];
  const tokens = ["old", "new", "new"];
  const send = withToken((stale) => (asked.push(stale), tokens[asked.length - 1]))(async (request) => {
    if (request.header.get("authorization") === "Bearer old") throw new ConnectError("expired", Code.Unauthenticated);
    return {} as UnaryResponse;
  });
  const unary = { stream: false, header: new Headers() } as UnaryRequest;

  await send(unary);
  await send(unary);

  expect(asked).toEqual([undefined, "old", undefined]);
});

test("calls that are refused at the same time all say which token it was: who renews only what is still there does so once", async () => {
  let held = "old";
  let renewals = 0;
  const renewing = async (stale?: string) => {
    if (stale === held) held = `new ${++renewals}`;
    return held;
  };
  const send = withToken(renewing)(async (request) => {
    if (request.header.get("authorization") === "Bearer old") throw new ConnectError("expired", Code.Unauthenticated);
    return {} as UnaryResponse;
  });

  await Promise.all(Array.from({ length: 10 }, () => send({ stream: false, header: new Headers() } as UnaryRequest)));

  expect(renewals).toBe(1);
});
