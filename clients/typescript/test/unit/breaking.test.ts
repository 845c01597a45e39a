// `make breaking` guards callers who were built from the released protos.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../../../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stellwerk-protos-"));
  for (const name of ["buf.yaml", "Makefile", "proto"]) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of ["clients", "scripts"]) symlinkSync(join(ROOT, name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Edits the copy, asks, and gives how that ended. */
function breaking(file: string, was: RegExp, becomes: string) {
  const path = join(folder, "proto/stellwerk/v1", file);
  const edited = readFileSync(path, "utf8").replace(was, becomes);
  expect(edited).not.toBe(readFileSync(path, "utf8"));
  writeFileSync(path, edited);
  // No socket as its stdin: bash would take it for a login over the network, and read start-up files (Bash manual, "Startup Files").
  const { status, stdout } = spawnSync("make", ["breaking"], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return { isRefused: status !== 0, stdout };
}

test("a field that is removed breaks callers", () => {
  const { isRefused, stdout } = breaking("patient.proto", /(message Patient \{[^]*?)  string phone = 6.*\n/, "$1");

  expect(stdout).toContain('Previously present field "6" with name "phone" on message "Patient" was deleted.');
  expect(isRefused).toBe(true);
});

test("an rpc that is removed breaks callers", () => {
  const { isRefused } = breaking("patient.proto", /  rpc GetPatient\([^]*?\n  \}\n/, "");

  expect(isRefused).toBe(true);
});

test("a field that is added breaks nobody", () => {
  const { isRefused } = breaking("patient.proto", /message Patient \{\n/, "$&  // New.\n  string shoe_size = 900;\n");

  expect(isRefused).toBe(false);
});
