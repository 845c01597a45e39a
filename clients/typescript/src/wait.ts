// Pauses that end when their caller gives up.

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
