import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import { RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { SyncLogService } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { connect } from "../../src/index.js";
import { resuming } from "../../src/streams.js";
import { answering, cut, type Fetch, network, plainly } from "../support/memory.js";

type Message = { resumeToken: string; text: string };
type Script = (from: string) => AsyncGenerator<Message>;

const quick = { firstMs: 1, mostMs: 2 };
const message = (number: number): Message => ({ resumeToken: `t${number}`, text: `m${number}` });

/** A server whose connections end as scripted; notes where each one began, and what may end it. */
function server(...connections: Script[]) {
  const from: string[] = [];
  const signals: AbortSignal[] = [];
  const watch = ({ resumeToken }: { resumeToken: string }, { signal }: CallOptions) => {
    const connection = connections[from.length];
    from.push(resumeToken);
    signals.push(signal!);
    if (connection === undefined) throw new ConnectError("no more", Code.PermissionDenied, { "grpc-status": "7" });
    return connection(resumeToken);
  };
  return { from, signals, watch };
}

afterEach(() => void vi.useRealTimers());

/** From now on time passes only when it is told to. */
function holdTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 0 });
}

async function collect(stream: AsyncIterable<Message>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of stream) texts.push(text);
  return texts;
}

test("after a broken connection it goes on behind the last message", async () => {
  const { from, watch } = server(
    async function* () {
      yield message(1);
      yield message(2);
      throw new ConnectError("gone", Code.Unavailable);
    },
    async function* () {
      yield message(3);
    },
  );

  const texts = await collect(resuming(watch, { backOff: quick, isLast: ({ text }) => text === "m3" }));

  expect(texts).toEqual(["m1", "m2", "m3"]);
  expect(from).toEqual(["", "t2"]);
});

test("a message without a token keeps the one before", async () => {
  const { from, watch } = server(
    async function* () {
      yield message(1);
      yield { resumeToken: "", text: "still here" };
    },
    async function* () {
      yield message(2);
    },
  );

  await collect(resuming(watch, { backOff: quick, isLast: ({ text }) => text === "m2" }));

  expect(from).toEqual(["", "t1"]);
});

test("what another try would not mend is thrown", async () => {
  const { from, watch } = server(async function* () {
    throw new ConnectError("not yours", Code.NotFound, { "grpc-status": "5" });
  });

  await expect(collect(resuming(watch, { backOff: quick }))).rejects.toThrow("not yours");
  expect(from).toHaveLength(1);
});

test("a refused token is given one more chance, a second refusal in a row is thrown", async () => {
  const refused: Script = async function* () {
    throw new ConnectError("expired", Code.Unauthenticated);
  };
  const working: Script = async function* () {
    yield message(1);
    throw new ConnectError("expired", Code.Unauthenticated);
  };
  const { from, watch } = server(working, refused, refused);

  await expect(collect(resuming(watch, { backOff: quick }))).rejects.toThrow("expired");
  expect(from).toEqual(["", "t1"]);
});

test("a fired signal ends it without an error, also while it waits", async () => {
  const giveUp = new AbortController();
  const { watch } = server(async function* () {
    throw new ConnectError("gone", Code.Unavailable);
  });

  const texts = await collect(
    resuming(watch, {
      signal: giveUp.signal,
      backOff: { firstMs: 60_000, mostMs: 60_000 },
      onBreak: () => queueMicrotask(() => giveUp.abort()),
    }),
  );

  expect(texts).toEqual([]);
});

test("a server that names a pause is left alone for so long", async () => {
  holdTime();
  const retryInfo = { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay: durationFromMs(7000) }) };
  const { from, watch } = server(
    async function* () {
      throw new ConnectError("no place for another stream", Code.Unavailable, undefined, [retryInfo]);
    },
    async function* () {
      yield message(1);
    },
  );

  const texts = collect(resuming(watch, { backOff: quick, isLast: () => true }));
  await vi.advanceTimersByTimeAsync(6999);
  const before = from.length;
  await vi.advanceTimersByTimeAsync(1);

  expect(await texts).toEqual(["m1"]);
  expect([before, from.length]).toEqual([1, 2]);
});

test("a pause that the server names makes none shorter", async () => {
  holdTime();
  const retryInfo = { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay: durationFromMs(0) }) };
  const busy: Script = async function* () {
    throw new ConnectError("busy", Code.Unavailable, undefined, [retryInfo]);
  };
  const { from, watch } = server(busy, busy);

  const ended = collect(resuming(watch, { backOff: { firstMs: 1000, mostMs: 1000 } })).catch(() => undefined);
  await vi.advanceTimersByTimeAsync(499);
  const before = from.length;
  await vi.advanceTimersByTimeAsync(1501);
  await ended;

  expect([before, from.length]).toEqual([1, 3]);
});

test("what the caller's own code throws is thrown, not taken for a broken connection", async () => {
  const { from, watch } = server(async function* () {
    yield message(1);
  });
  const wrong = () => {
    throw new TypeError("a slip of the pen");
  };

  await expect(collect(resuming(watch, { isLast: wrong }))).rejects.toThrow("a slip of the pen");
  await expect(collect(resuming(wrong))).rejects.toThrow("a slip of the pen");
  expect(from).toEqual([""]);
});

/** A watch of a real client's, over servers that come one after the other. */
function watching(...servers: [Fetch, ...Fetch[]]) {
  const { sent, fetch } = network(...servers);
  const syncLogs = connect({ baseUrl: "http://stellwerk.example.org", token: "swk_x", fetch }).client(SyncLogService);
  const watched = resuming((from, options) => syncLogs.watchSyncLog(from, options), { backOff: quick, isLast: () => true });
  return { sent, watched };
}

const telling = answering(({ service }) =>
  service(SyncLogService, {
    async *watchSyncLog() {
      yield { resumeToken: "t1" };
    },
  }),
);

test.each([
  ["ends in order midway of a message", cut(telling, (body) => body.slice(0, 7))],
  ["is answered 404 by a proxy", plainly(404)],
  ["is answered 403 by a proxy", plainly(403)],
])("a connection that %s is replaced", async (_, broken) => {
  const { sent, watched } = watching(broken, telling);

  expect((await watched.next()).value).toMatchObject({ resumeToken: "t1" });
  expect(sent).toHaveLength(2);
});

test.each([
  ["in its header", (error: ConnectError) => async () => refusal(error)],
  ["in its trailer", (error: ConnectError) => answering(({ service }) => service(SyncLogService, { watchSyncLog: failing(error) }))],
])("a refusal of the server's own, %s, is final", async (_, refusing) => {
  const { sent, watched } = watching(refusing(new ConnectError("not yours", Code.NotFound)), telling);

  await expect(watched.next()).rejects.toThrow("not yours");
  expect(sent).toHaveLength(1);
});

function failing(error: ConnectError): () => AsyncGenerator<never> {
  return async function* () {
    throw error;
  };
}

/** What gRPC calls trailers-only: an answer without a body. */
function refusal({ code, rawMessage }: ConnectError): Response {
  const headers = { "content-type": "application/grpc-web+proto", "grpc-status": `${code}`, "grpc-message": rawMessage };
  return new Response(null, { headers });
}

/** One message, and then nothing any more, not even when it is given up: the other end of a half-open connection. */
function fallingSilent(fetch: Fetch): Fetch {
  return async (url, init) => {
    const reader = (await fetch(url, init)).body!.getReader();
    const first = (await reader.read()).value!;
    return new Response(new ReadableStream({ start: (body) => body.enqueue(first) }), {
      headers: { "content-type": "application/grpc-web+proto" },
    });
  };
}

test("a connection that fell silent is closed, and replaced by another one behind its last message", async () => {
  holdTime();
  const from: string[] = [];
  const speaking = answering(({ service }) =>
    service(SyncLogService, {
      async *watchSyncLog({ resumeToken }) {
        from.push(resumeToken);
        yield { resumeToken: `t${from.length}` };
      },
    }),
  );
  const { sent, fetch } = network(fallingSilent(speaking), speaking);
  const syncLogs = connect({ baseUrl: "http://stellwerk.example.org", token: "swk_x", fetch }).client(SyncLogService);
  const breaks: unknown[] = [];

  const watched = resuming((from, options) => syncLogs.watchSyncLog(from, options), {
    isLast: ({ resumeToken }) => resumeToken === "t2",
    onBreak: (error) => breaks.push(error?.code),
  });
  const tokens = (async () => {
    const tokens: string[] = [];
    for await (const { resumeToken } of watched) tokens.push(resumeToken);
    return tokens;
  })();
  await vi.advanceTimersByTimeAsync(39_999);
  const before = sent.length;
  await vi.advanceTimersByTimeAsync(501);

  expect(await tokens).toEqual(["t1", "t2"]);
  expect(from).toEqual(["", "t1"]);
  expect([before, sent.length]).toEqual([1, 2]);
  expect(breaks).toEqual([Code.DeadlineExceeded]);
  expect(sent[0]!.signal.aborted).toBe(true);
});

test("a server that speaks often enough is not taken for silent, nor is one whose messages wait for their reader", async () => {
  holdTime();
  const { from, watch } = server(async function* () {
    for (let number = 1; number <= 3; number++) {
      await new Promise((done) => setTimeout(done, 900));
      yield message(number);
    }
  });

  const texts: string[] = [];
  const reading = (async () => {
    for await (const { text } of resuming(watch, { silenceMs: 1000, isLast: ({ text }) => text === "m3" })) {
      texts.push(text);
      if (text === "m1") await new Promise((done) => setTimeout(done, 5000));
    }
  })();
  await vi.advanceTimersByTimeAsync(900 + 5000 + 900 + 900);
  await reading;

  expect(texts).toEqual(["m1", "m2", "m3"]);
  expect(from).toEqual([""]);
});

test("who leaves the loop closes the connection", async () => {
  const { signals, watch } = server(async function* () {
    yield message(1);
    yield message(2);
  });

  for await (const _ of resuming(watch)) break;

  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
