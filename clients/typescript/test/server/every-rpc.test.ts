import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import type { DescFile } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { World } from "../support/world.js";
import { scenarios } from "./scenarios/index.js";

const GENERATED = resolve(import.meta.dirname, "../../src/gen/stellwerk/v1");

for (const [service, tests] of scenarios) {
  describe.concurrent(service.name, () => {
    for (const [method, scenario] of Object.entries(tests)) {
      test(`${method} works over grpc-web`, async () => scenario(await World.create()));
    }
  });
}

test("no rpc lacks a scenario", async () => {
  const names: string[] = [];
  for (const file of readdirSync(GENERATED)) {
    const generated: Record<string, unknown> = await import(resolve(GENERATED, file));
    const descriptor = Object.values(generated).find((value) => (value as DescFile | undefined)?.kind === "file") as DescFile;
    for (const service of descriptor.services) {
      for (const method of service.methods) names.push(`${service.name}/${method.localName}`);
    }
  }

  const tested = scenarios.flatMap(([service, tests]) => Object.keys(tests).map((method) => `${service.name}/${method}`));

  expect(names.length).toBeGreaterThan(30);
  expect(tested.sort()).toEqual(names.sort());
});
