// What a refusal says. Every error of stellwerk carries `google.rpc.ErrorInfo` with a reason out of `ErrorReason`.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { ErrorReason } from "./gen/stellwerk/v1/error_pb.js";

export { Code, ConnectError } from "@connectrpc/connect";
export { ErrorReason } from "./gen/stellwerk/v1/error_pb.js";

/** A field that does not fit. */
export interface FieldViolation {
  /** The field's path in the request, as in `start_time`. */
  readonly field: string;
  /** What would fit. Never repeats the value. */
  readonly description: string;
}

/** Everything a refusal says. */
export interface ErrorFacts {
  readonly code: Code;
  /** For people; in English. */
  readonly message: string;
  /** For programs. `UNSPECIFIED` when the answer did not come from stellwerk, as from a proxy, or from a newer one. */
  readonly reason: ErrorReason;
  /** What more there is to know; the keys stand beside each reason in `ErrorReason`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** With `INVALID_FIELD`. */
  readonly fieldViolations: readonly FieldViolation[];
  /** When waiting helps: for how long, in milliseconds. */
  readonly retryDelayMs: number | undefined;
}

/** For types alone: without it, an error that is not of one reason would be of no reason. */
declare const because: unique symbol;

/** Whether a call failed at stellwerk, and for this reason if one is given. */
export function isStellwerkError(error: unknown): error is ConnectError;
export function isStellwerkError<R extends ErrorReason>(
  error: unknown,
  reason: R,
): error is ConnectError & { readonly [because]: R };
export function isStellwerkError(error: unknown, reason?: ErrorReason): boolean {
  if (!(error instanceof ConnectError)) return false;
  const found = reasonOf(error);
  return reason === undefined ? found !== ErrorReason.UNSPECIFIED : found === reason;
}

/** What a failed call says. Anything that is thrown by a call may be given. */
export function factsOf(error: unknown): ErrorFacts {
  const known = ConnectError.from(error);
  const info = infoOf(known);
  const violations = known.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return {
    code: known.code,
    message: known.rawMessage,
    reason: reasonOf(known),
    metadata: info?.metadata ?? {},
    fieldViolations: violations.map(({ field, description }) => ({ field, description })),
    retryDelayMs: retryDelayMs(known),
  };
}

/** How long the server asks to wait, in milliseconds. */
export function retryDelayMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && durationMs(delay);
}

/**
 * Whether a call got no whole answer: stellwerk's have a status, what a broken connection or a proxy leaves has none. What was refused on
 * this side, as what cannot be encoded (`INTERNAL`), is no loss.
 */
export function isLost(thrown: unknown): boolean {
  // `fetch` rejects with a TypeError when there was no answer, whatever the reason (Fetch standard, fetch method).
  if (!(thrown instanceof ConnectError)) return thrown instanceof TypeError;
  return !thrown.metadata.has("grpc-status") && thrown.code !== Code.Internal;
}

function infoOf(error: ConnectError) {
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === "stellwerk");
}

function reasonOf(error: ConnectError): ErrorReason {
  const name = infoOf(error)?.reason as keyof typeof ErrorReason | undefined;
  return (name !== undefined && ErrorReason[name]) || ErrorReason.UNSPECIFIED;
}
