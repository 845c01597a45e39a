import { defineConfig } from "vitest/config";

const project = (name: string, more: object = {}) => ({ test: { name, include: [`test/${name}/**/*.test.ts`], ...more } });

export default defineConfig({
  test: {
    projects: [
      project("unit", { typecheck: { enabled: true, include: ["test/unit/**/*.test-d.ts"], tsconfig: "tsconfig.json" } }),
      // One server for all of them, started once: starting PostgreSQL takes longer than the tests.
      project("server", { globalSetup: "test/support/global.ts", testTimeout: 60_000, hookTimeout: 60_000 }),
      project("browser", { globalSetup: "test/support/global.ts", testTimeout: 60_000, hookTimeout: 120_000 }),
      project("readme", { globalSetup: "test/support/global.ts", testTimeout: 60_000, hookTimeout: 60_000 }),
    ],
  },
});
