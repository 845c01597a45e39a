/**
 * Typed calls to stellwerk over grpc-web. Services and messages come from `@stellwerk/client/<file>`, as in
 * `@stellwerk/client/appointment`, so that a bundle holds only what it uses.
 *
 * @packageDocumentation
 */

// What a caller says times and spans with; the rest of protobuf-es's own is in `@bufbuild/protobuf`.
export { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
export { connect, type Connection, type ConnectionOptions } from "./connection.js";
export {
  Code,
  ConnectError,
  type ErrorFacts,
  ErrorReason,
  factsOf,
  type FieldViolation,
  isStellwerkError,
} from "./errors.js";
export { isRepeatable, type RetryPolicy, type TokenProvider } from "./interceptors.js";
export { items, type Page, pages } from "./pages.js";
export { hasEnded, withChange } from "./progress.js";
export { type Resumable, type ResumeOptions, resuming } from "./streams.js";
export type { BackOff } from "./wait.js";
