// Streams that outlive their connection.

import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { isLost, retryDelayMs } from "./errors.js";
import { type BackOff, following, pauseMs, wait, within } from "./wait.js";

/** What every message of a watch has. */
export interface Resumable {
  readonly resumeToken: string;
}

export interface ResumeOptions<M> {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  /** Where to go on, from an earlier stream; from now on unless said. */
  readonly resumeToken?: string;
  /** Whether nothing comes after this message, as when the run that is watched has ended (`hasEnded`). Never unless said. */
  readonly isLast?: (message: M) => boolean;
  /**
   * A connection that says nothing for so long, in milliseconds, is taken for dead and replaced; 40 000 unless said. The server speaks
   * every 15 s.
   */
  readonly silenceMs?: number;
  /** How the pauses grow while the server cannot be reached; from half a second to 30 s unless said. */
  readonly backOff?: BackOff;
  /** Told of every break, as for a line on a screen. */
  readonly onBreak?: (error: ConnectError | undefined, pauseMs: number) => void;
}

const BACK_OFF: BackOff = { firstMs: 500, mostMs: 30_000 };
/** The time of two of the server's heartbeats, and some for the way. */
const SILENCE_MS = 40_000;
/**
 * What another try would not mend when stellwerk says it. A refused token may have expired while the stream was open, and is tried again
 * once.
 */
const FINAL: readonly Code[] = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unimplemented,
  Code.OutOfRange,
];

/**
 * Watches on over broken connections and restarted servers, without gap and without double: after each break it goes on behind the
 * last message that came. Ends when `signal` fires or `isLast` says so; throws what another try would not mend, and what `watch` and
 * `isLast` throw themselves.
 *
 * A place to go on from belongs to the request: `watch` sends the same one each time, but for what it is given. An instant as the present
 * one is taken before.
 *
 * ```ts
 * const snapshotStartTimeFrom = timestampFromDate(new Date());
 * const changes = resuming((from, options) => appointments.watchAppointments({ snapshotStartTimeFrom, ...from }, options), { signal });
 * for await (const change of changes) …
 * ```
 */
export async function* resuming<M extends Resumable>(
  watch: (from: { resumeToken: string }, options: CallOptions) => AsyncIterable<M>,
  options: ResumeOptions<M> = {},
): AsyncGenerator<M, void, undefined> {
  const { signal, isLast, onBreak, backOff = BACK_OFF, silenceMs = SILENCE_MS } = options;
  let resumeToken = options.resumeToken ?? "";
  // In a row, without a message between them.
  let breaks = 0;
  let refusals = 0;
  while (!signal?.aborted) {
    let error: ConnectError | undefined;
    try {
      for await (const message of connection(silenceMs, signal, (signal) => watch({ resumeToken }, { signal }))) {
        [breaks, refusals] = [0, 0];
        if (message.resumeToken !== "") resumeToken = message.resumeToken;
        yield message;
        if (isLast?.(message)) return;
      }
    } catch (thrown) {
      if (signal?.aborted) return;
      if (!(thrown instanceof ConnectError)) throw thrown;
      error = thrown;
      if (FINAL.includes(error.code) && !isLost(error)) throw error;
      if (error.code === Code.Unauthenticated && ++refusals > 1) throw error;
    }
    breaks++;
    // A stream that the server ended in order, as when it restarts, goes on at once the first time.
    const isInOrder = error === undefined && breaks === 1;
    const pause = isInOrder ? 0 : Math.max((error && retryDelayMs(error)) ?? 0, pauseMs(backOff, breaks));
    onBreak?.(error, pause);
    await wait(pause, signal).catch(() => undefined);
  }
}

/** The messages of one connection, which is given up when it is silent for too long, and when nobody asks for more of it. */
async function* connection<M>(
  silenceMs: number,
  signal: AbortSignal | undefined,
  open: (signal: AbortSignal) => AsyncIterable<M>,
): AsyncGenerator<M, void, undefined> {
  // The transport ends a connection by this alone: its streams have no `return` (connect 2.2, runStreamingCall).
  const own = following(signal);
  try {
    const messages = open(own.signal)[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await within(silenceMs, own.signal, () => messages.next());
      if (done) return;
      yield value;
    }
  } finally {
    own.abort();
  }
}
