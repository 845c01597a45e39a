// What every call passes through, outermost first: an idempotency key, another try, the caller's token.

import type { DescMethod } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { isLost, retryDelayMs } from "./errors.js";
import { type BackOff, pauseMs, wait, within } from "./wait.js";

/**
 * Gives the bearer token of the signed-in person, or an API key; `undefined` when nobody is signed in. `stale` is the one that was just
 * refused: renew if that is what you still have. Calls ask at the same time, so several may name one token.
 */
export type TokenProvider = (stale?: string) => string | undefined | Promise<string | undefined>;

/** How often, and how soon, a call that may be repeated is. */
export interface RetryPolicy extends BackOff {
  /** Tries at most, the first included; 1 repeats nothing. */
  readonly attempts: number;
}

/** What `grpc-timeout` can say with eight digits, in milliseconds (gRPC over HTTP/2, "Timeout"); a timer can wait as long. */
const MOST_MS = 99_999_999;
const WORTH_ANOTHER_TRY: readonly Code[] = [Code.Unavailable, Code.ResourceExhausted, Code.Aborted, Code.DeadlineExceeded];

/** Whether a repeated call does nothing twice: it only reads, keeps a repeated part once, or its request has an idempotency key. */
export function isRepeatable(method: DescMethod): boolean {
  return /^(Get|List|Preview|Upload)/.test(method.name) || takesKey(method);
}

/** Gives every write that was sent without one a key, so that all its tries are one. */
export function withIdempotencyKeys(newKey: () => string): Interceptor {
  return (next) => (request) => {
    if (request.stream || !takesKey(request.method)) return next(request);
    const message = request.message as typeof request.message & { idempotencyKey: string };
    if (message.idempotencyKey !== "") return next(request);
    // A message that the caller made arrives as the same object, and may be sent again as another write.
    const keyed: typeof message = { ...message, idempotencyKey: newKey() };
    return next({ ...request, message: keyed });
  };
}

/**
 * Gives each try of a call its deadline, and repeats calls that may be: after the pause that the server names, else after a growing one.
 * The caller's own deadline and signal bound all tries together.
 */
export function withRetries(policy: RetryPolicy, tryTimeoutMs: number): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const attempts = isRepeatable(request.method) ? policy.attempts : 1;
    // What the caller of this call said stands there by now, in milliseconds (connect 2.2, `requestHeader`).
    const callersMs = parseFloat(request.header.get("grpc-timeout") ?? "") || MOST_MS;
    const ms = Math.ceil(Math.min(tryTimeoutMs + awaitedMs(request), callersMs));
    request.header.set("grpc-timeout", `${ms}m`);
    for (let attempt = 1; ; attempt++) {
      try {
        return await within(ms, request.signal, (signal) => next({ ...request, signal }));
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        const delayMs = retryDelayMs(error) ?? 0;
        const isWorthIt = WORTH_ANOTHER_TRY.includes(error.code) || isLost(thrown);
        // Said so that it ends with a number that is none, too.
        if (!(attempt < attempts) || !isWorthIt || delayMs > policy.mostMs) throw thrown;
        // Fails when the caller has given up.
        await wait(Math.max(delayMs, pauseMs(policy, attempt)), request.signal);
      }
    }
  };
}

/** How long the request asks the server to wait for a provider. */
function awaitedMs({ message }: UnaryRequest): number {
  const { waitForProvider } = message as { waitForProvider?: Duration };
  return waitForProvider ? durationMs(waitForProvider) : 0;
}

/** Sends the caller's token; one that is refused is asked for anew, once. */
export function withToken(token: TokenProvider): Interceptor {
  // The token that was refused last. A stream's request is spent then, so it is the next call that asks for another one.
  let stale: string | undefined;
  const authorize = async (request: UnaryRequest | StreamRequest) => {
    const value = await token(stale);
    // A call that had asked before the refusal may be given the refused one still: the mark stays until there is another.
    if ((value ?? "") !== stale) stale = undefined;
    if (value === undefined) request.header.delete("authorization");
    else request.header.set("authorization", `Bearer ${value}`);
    return value;
  };
  return (next) => async (request) => {
    const first = await authorize(request);
    const note = (error: unknown) => {
      const isRefused = ConnectError.from(error).code === Code.Unauthenticated;
      if (isRefused) stale = first ?? "";
      return isRefused;
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: noting(response.message, note) } : response;
    } catch (error) {
      if (!note(error) || request.stream) throw error;
      const second = await authorize(request);
      if (second === undefined || second === first) throw error;
      return next(request);
    }
  };
}

/** A stream's refusal may come instead of its first message. */
async function* noting<M>(messages: AsyncIterable<M>, note: (error: unknown) => void): AsyncGenerator<M> {
  try {
    yield* messages;
  } catch (error) {
    note(error);
    throw error;
  }
}

function takesKey(method: DescMethod): boolean {
  return method.input.field["idempotencyKey"] !== undefined;
}
