// What every call passes through, outermost first: an idempotency key, another try, the caller's token.

import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { factsOf } from "./errors.js";
import { type BackOff, pauseMs, wait } from "./wait.js";

/** Gives the bearer token of the signed-in person, or an API key. `stale` is the one that was just refused; give another. */
export type TokenProvider = (stale?: string) => string | undefined | Promise<string | undefined>;

/** How often, and how soon, a call that may be repeated is. */
export interface RetryPolicy extends BackOff {
  /** Tries at most, the first included; 1 repeats nothing. */
  readonly attempts: number;
}

const WORTH_ANOTHER_TRY: readonly Code[] = [Code.Unavailable, Code.ResourceExhausted, Code.Aborted, Code.DeadlineExceeded];

/** Whether a repeated call does nothing twice: it only reads, or its request has an idempotency key. */
export function isRepeatable(method: DescMethod): boolean {
  return /^(Get|List)/.test(method.name) || takesKey(method);
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

/** Repeats calls that may be: after the pause that the server names, else after a growing one. */
export function withRetries(policy: RetryPolicy): Interceptor {
  return (next) => async (request) => {
    if (request.stream || !isRepeatable(request.method)) return next(request);
    for (let attempt = 1; ; attempt++) {
      try {
        return await next(request);
      } catch (error) {
        const { code, retryDelayMs } = factsOf(error);
        // `fetch` rejects with a TypeError when there was no answer, whatever the reason (Fetch standard, fetch method).
        const isWorthIt = WORTH_ANOTHER_TRY.includes(code) || ConnectError.from(error).cause instanceof TypeError;
        const isOver = attempt >= policy.attempts || request.signal.aborted || !isWorthIt;
        if (isOver || (retryDelayMs ?? 0) > policy.mostMs) throw error;
        await wait(Math.max(retryDelayMs ?? 0, pauseMs(policy, attempt)), request.signal).catch(() => {
          throw error;
        });
      }
    }
  };
}

/** Sends the caller's token; one that is refused is asked for anew, once. */
export function withToken(token: TokenProvider): Interceptor {
  // The token that a stream was refused with: its request is spent, so the next call asks for another one.
  let stale: string | undefined;
  const authorize = async (request: UnaryRequest | StreamRequest) => {
    const value = await token(stale);
    stale = undefined;
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
