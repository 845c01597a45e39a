import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { resuming } from "../../src/streams.js";

type Message = { resumeToken: string; text: string };
type Script = (from: string) => AsyncGenerator<Message>;

const quick = { firstMs: 1, mostMs: 2 };
const message = (number: number): Message => ({ resumeToken: `t${number}`, text: `m${number}` });

/** A server whose connections end as scripted; notes where each one began. */
function server(...connections: Script[]) {
  const from: string[] = [];
  const watch = ({ resumeToken }: { resumeToken: string }) => {
    const connection = connections[from.length];
    from.push(resumeToken);
    if (connection === undefined) throw new ConnectError("no more", Code.PermissionDenied);
    return connection(resumeToken);
  };
  return { from, watch };
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
    throw new ConnectError("not yours", Code.NotFound);
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
