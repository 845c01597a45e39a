// A server within the test, behind the `fetch` that it gives: for what no real one does on demand, as falling silent.

import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";

export type Fetch = typeof globalThis.fetch;

/** Answers grpc-web as `routes` say. */
export function answering(routes: (router: ConnectRouter) => void): Fetch {
  const router = createConnectRouter({ connect: false, grpc: false });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)]));
  return async (url, init) => handlers.get(new URL(String(url)).pathname)!(new Request(url, init));
}

/** Answers, but of the body only what `part` leaves arrives; then the connection ends in order. */
export function cut(fetch: Fetch, part: (body: Uint8Array) => Uint8Array<ArrayBuffer>): Fetch {
  return async (url, init) => {
    const { status, headers, body } = await fetch(url, init);
    const whole = new Uint8Array(await new Response(body).arrayBuffer());
    return new Response(part(whole), { status, headers });
  };
}

/** Somebody on the way answers who knows no gRPC, as a proxy whose server restarts. */
export function plainly(status: number): Fetch {
  return async () => new Response("nobody here", { status, headers: { "content-type": "text/plain" } });
}

/** Never answers, until it is given up. */
export const hanging: Fetch = (_, init) =>
  new Promise((_done, fail) => init?.signal?.addEventListener("abort", () => fail(init.signal?.reason)));

/** The network of these servers, one after the other, the last one for the rest; notes what was sent to each, and when. */
export function network(...servers: [Fetch, ...Fetch[]]) {
  const sent: { at: number; headers: Headers; signal: AbortSignal }[] = [];
  const fetch: Fetch = (url, init) => {
    const { headers, signal } = new Request(url, { ...init, body: null });
    sent.push({ at: Date.now(), headers, signal: init?.signal ?? signal });
    return servers[Math.min(sent.length, servers.length) - 1]!(url, init);
  };
  return { sent, fetch };
}
