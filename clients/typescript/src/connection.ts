// The one factory.

import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { type RetryPolicy, type TokenProvider, withIdempotencyKeys, withRetries, withToken } from "./interceptors.js";

/** How to reach stellwerk, and as whom. */
export interface ConnectionOptions {
  /** The address of the gRPC listener, as in `https://stellwerk.example.org`. */
  readonly baseUrl: string;
  /** Who is calling. Asked before every try, so keep it quick; asked again with the refused token when one is refused. */
  readonly token: string | TokenProvider;
  /**
   * For each try of a call, its token included, in milliseconds; 30 000 unless said. A call that asks to wait for a provider has that long
   * in addition. All tries together are bounded by what the call itself says (`timeoutMs`, `signal`); streams have no deadline.
   */
  readonly tryTimeoutMs?: number;
  /** Four tries, with up to 2 s of pauses between them, unless said; `{ attempts: 1 }` repeats nothing. */
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

const TRY_TIMEOUT_MS = 30_000;

/** Makes a connection. */
export function connect(options: ConnectionOptions): Connection {
  const { baseUrl, token, fetch } = options;
  const { attempts = 4, firstMs = 250, mostMs = 10_000 } = options.retry ?? {};
  const transport = createGrpcWebTransport({
    baseUrl,
    interceptors: [
      ...(options.interceptors ?? []),
      withIdempotencyKeys(newKey),
      withRetries({ attempts, firstMs, mostMs }, options.tryTimeoutMs ?? TRY_TIMEOUT_MS),
      withToken(typeof token === "string" ? () => token : token),
    ],
    ...(fetch && { fetch }),
  });
  return { transport, client: (service) => createClient(service, transport) };
}

/** 128 random bits. Not `randomUUID`: a page that came over plain http has none (Web Cryptography, SecureContext). */
function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(16)).join("-");
}
