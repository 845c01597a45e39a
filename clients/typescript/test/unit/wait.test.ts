import { expect, test } from "vitest";
import { pauseMs, wait } from "../../src/wait.js";

const backOff = { firstMs: 100, mostMs: 1000 };

test("pauses double, never beyond the longest, and lie between half and whole", () => {
  const longest = [1, 2, 3, 4, 5, 50].map((attempt) => pauseMs(backOff, attempt, 1));
  const shortest = [1, 2, 3, 4, 5, 50].map((attempt) => pauseMs(backOff, attempt, 0));

  expect(longest).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(shortest).toEqual([50, 100, 200, 400, 500, 500]);
});

test("a wait ends at once when its caller gives up, before or during it", async () => {
  const during = new AbortController();
  const waiting = wait(60_000, during.signal);
  during.abort(new Error("enough"));

  await expect(waiting).rejects.toThrow("enough");
  await expect(wait(60_000, AbortSignal.abort(new Error("never began")))).rejects.toThrow("never began");
});
