// Waiting that ends when its caller gives up, or in time.

import { Code, ConnectError } from "@connectrpc/connect";

/** How pauses between tries grow. */
export interface BackOff {
  /** The first pause, in milliseconds. */
  readonly firstMs: number;
  /** No pause is longer, in milliseconds. */
  readonly mostMs: number;
}

/** The pause after the try number `attempt`, the first being 1: doubling, and anything from half of it to all of it, so that those who
 * failed together do not come back together. */
export function pauseMs({ firstMs, mostMs }: BackOff, attempt: number, chance: number = Math.random()): number {
  const whole = Math.min(mostMs, firstMs * 2 ** (attempt - 1));
  return whole * (0.5 + chance / 2);
}

/** Waits; rejects with the signal's reason when that fires first. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abandon = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abandon);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abandon, { once: true });
  });
}

/** A controller that fires with `signal`, which forgets it as soon as it has fired by itself. */
export function following(signal?: AbortSignal): AbortController {
  const controller = new AbortController();
  // Not `AbortSignal.any`: Node has it since 20.3, Safari since 17.4.
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted) follow();
  else signal?.addEventListener("abort", follow, { signal: controller.signal });
  return controller;
}

/**
 * Settles as what `begin` begins, or fails as soon as `signal` fires, or after `ms` with `DEADLINE_EXCEEDED`. What was begun is given a
 * signal that has fired in the end; what ignores it is not waited for.
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  begin: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = following(signal);
  const tooLate = async () => {
    await wait(ms, own.signal);
    throw new ConnectError(`nothing came within ${ms} ms`, Code.DeadlineExceeded);
  };
  try {
    return await Promise.race([begin(own.signal), tooLate()]);
  } finally {
    own.abort();
  }
}
