// The one factory.

import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { type RetryPolicy, type TokenProvider, withIdempotencyKeys, withRetries, withToken } from "./interceptors.js";

/** How to reach stellwerk, and as whom. */
export interface ConnectionOptions {
  /** The address of the gRPC listener, as in `https://stellwerk.example.org`. */
  readonly baseUrl: string;
  /** Who is calling. Asked before every call, so keep it quick; asked again with the refused token when one is refused. */
  readonly token: string | TokenProvider;
  /** For one try of a call, in milliseconds; streams have no deadline. 30 000 unless said. */
  readonly timeoutMs?: number;
  /** Four tries within some 3 s unless said; `{ attempts: 1 }` repeats nothing. */
  readonly retry?: Partial<RetryPolicy>;
  /** Run around everything else, first one outermost: for logs and metrics. */
  readonly interceptors?: readonly Interceptor[];
  /** `globalThis.fetch` unless said. */
  readonly fetch?: typeof globalThis.fetch;
}

/** A way to stellwerk. Costs nothing until it is used. */
export interface Connection {
  readonly transport: Transport;
  /** The calls of a service; import its descriptor from its own file, and a bundler leaves the others out. */
  client<S extends DescService>(service: S): Client<S>;
}

const RETRY: RetryPolicy = { attempts: 4, firstMs: 250, mostMs: 10_000 };
const TIMEOUT_MS = 30_000;

/** Makes a connection. */
export function connect(options: ConnectionOptions): Connection {
  const { baseUrl, token, fetch } = options;
  const transport = withoutStreamDeadline(
    createGrpcWebTransport({
      baseUrl: baseUrl.replace(/\/+$/, ""),
      defaultTimeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      interceptors: [
        ...(options.interceptors ?? []),
        withIdempotencyKeys(() => crypto.randomUUID()),
        withRetries({ ...RETRY, ...options.retry }),
        withToken(typeof token === "string" ? () => token : token),
      ],
      ...(fetch && { fetch }),
    }),
  );
  return { transport, client: (service) => createClient(service, transport) };
}

/** A deadline would cut a healthy stream off. */
function withoutStreamDeadline(transport: Transport): Transport {
  return {
    unary: (...call) => transport.unary(...call),
    stream: (method, signal, timeoutMs, header, input, contextValues) =>
      transport.stream(method, signal, timeoutMs ?? 0, header, input, contextValues),
  };
}
