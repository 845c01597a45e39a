// What clients/README.md says works as it stands there.

import { execFile, execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { timestampDate } from "../../src/index.js";
import { CHROMIUM, serve } from "../support/browser.js";
import { BINARY, TARGET } from "../support/stellwerk.js";
import { World } from "../support/world.js";

const ROOT = resolve(import.meta.dirname, "../../../..");
const CLIENT = resolve(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "clients/README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "stellwerk-readme-"));
const run = promisify(execFile);
const PATIENCE = { timeout: 15_000 };
/** What a page has beside the snippets. */
const SURROUNDINGS = `
  declare function show(...values: unknown[]): void;
  declare const session: {
    stellwerkUrl: string;
    apiKey: string;
    accessToken(wish: { not: string | undefined }): Promise<string | undefined>;
    appointmentId: string;
    syncLogId: string;
    signal: AbortSignal;
  };
`;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The fenced blocks with this info string. */
function snippets(info: string): string[] {
  return [...README.matchAll(/^```(.*)\n([^]*?)^```$/gm)].filter(([, said]) => said === info).map(([, , code]) => code!);
}

/** A tenant with three patients, as the environment names it to the snippets. */
async function environment() {
  const world = await World.create();
  for (const lastName of ["Muster", "Beispiel", "Adler"]) await world.patient({ lastName });
  const path = [join(ROOT, "clients/node_modules/.bin"), dirname(BINARY), process.env["PATH"]].join(delimiter);
  const env = { ...process.env, STELLWERK_URL: inject("stellwerk").baseUrl, STELLWERK_TOKEN: world.adminKey, PATH: path };
  return { world, env, session: { stellwerkUrl: env.STELLWERK_URL, apiKey: world.adminKey } };
}

/** A new folder for a project of somebody else's. */
function project(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

describe("in a browser", () => {
  let browser: Browser;

  beforeAll(async () => void (browser = await chromium.launch(CHROMIUM)));
  afterAll(() => browser?.close());

  /** Runs a snippet on a page of its own; gives what is shown there by and by. */
  async function shownBy(code: string, session: object): Promise<string[]> {
    const web = await serve(await bundled(code));
    onTestFinished(async () => void (await web.close()));
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    const shown: string[] = [];
    await page.exposeFunction("show", (...values: unknown[]) => void shown.push(values.join(" ")));
    await page.addInitScript((session) => {
      const accessToken = () => session.apiKey;
      Object.assign(window, { session: { ...session, accessToken } });
    }, { apiKey: "", ...session });
    await page.goto(web.url);
    return shown;
  }

  test("the snippet lists, cancels and watches", async () => {
    const { world, session } = await environment();
    const { appointmentId, startTime } = await world.booking();

    const shown = await shownBy(snippets("ts browser")[0]!, { ...session, appointmentId });

    // The appointment from the list, then the change that a colleague makes.
    await expect.poll(() => shown[0], PATIENCE).toBe(`${timestampDate(startTime!)} `);
    await expect.poll(async () => (await world.booking(), shown.length), { ...PATIENCE, interval: 300 }).toBeGreaterThan(1);
    const { appointment } = await world.appointments.getAppointment({ appointmentId });
    expect(appointment?.cancelReason).toBe("ill");
  });

  test("the snippet tells of a refusal", async () => {
    const { session } = await environment();

    const shown = await shownBy(snippets("ts browser")[0]!, { ...session, appointmentId: randomUUID() });

    await expect.poll(() => shown, PATIENCE).toEqual(["there is no such appointment"]);
  });

  test("live progress is followed, and ends with its run", async () => {
    const { world, session } = await environment();
    const { syncLogId, gate } = await world.running();
    try {
      const shown = await shownBy(`${snippets("ts progress")[0]} show("that was all");`, { ...session, syncLogId });
      await expect.poll(() => shown, PATIENCE).not.toEqual([]);
      gate.admit(100);
      await expect.poll(() => shown.at(-1), PATIENCE).toBe("that was all");

      expect(shown[0]).toMatch(/^(QUEUED|RUNNING) /);
      expect(shown.at(-2)).toMatch(/^SUCCEEDED .*5 bookings/);
    } finally {
      await gate.close();
    }
  });
});

/** What a bundler makes of a snippet. */
async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, loader: "ts", resolveDir: CLIENT },
    alias: { "@stellwerk/client": join(CLIENT, "src") },
    plugins: [
      {
        name: "services",
        setup: ({ onResolve }) =>
          onResolve({ filter: /^@stellwerk\/client\/./ }, ({ path }) => ({
            path: join(CLIENT, "src/gen/stellwerk/v1", `${path.split("/").at(-1)}_pb.ts`),
          })),
      },
    ],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return outputFiles[0]!.text;
}

describe("installed in an empty project", () => {
  let env: NodeJS.ProcessEnv;
  const PROJECT = project("board");

  beforeAll(async () => {
    env = (await environment()).env;
    // What is packed was built before the tests; building it anew would take the sources away from those that run beside this one.
    const npm = { npm_config_prefer_offline: "true", npm_config_ignore_scripts: "true" };
    await run("sh", ["-ec", snippets("sh install")[0]!], { cwd: ROOT, env: { ...env, PROJECT, ...npm } });
  }, 300_000);

  test("Node's snippet counts the patients", async () => {
    writeFileSync(join(PROJECT, "readme.mjs"), snippets("js node")[0]!);

    const { stdout } = await run("node", ["readme.mjs"], { cwd: PROJECT, env });

    expect(stdout).toBe("3 patients\n");
  });

  test.each(["nodenext", "preserve"])("the package's types fit the snippets, with modules resolved as in %s", async (module) => {
    const names = ["browser", "progress"].map((name) => {
      writeFileSync(join(PROJECT, `${name}.mts`), SURROUNDINGS + snippets(`ts ${name}`)[0]!);
      return `${name}.mts`;
    });
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--module", module];

    const checked = run("tsc", [...options, ...names], { cwd: PROJECT, env }).catch(({ stdout }) => stdout);

    expect(await checked).toMatchObject({ stdout: "" });
  });

  test("what it is and under which licence is in the package", () => {
    const packed = (name: string) => readFileSync(join(PROJECT, "node_modules/@stellwerk/client", name), "utf8");

    expect(packed("README.md")).toBe(README);
    expect(packed("LICENSE")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
  });
});

// What is not in the repository's workspace gets none of its patches; and no `protoc` is there to be found.
test("the Rust snippet counts the patients from a crate of somebody else's", { timeout: 900_000 }, async () => {
  const { env } = await environment();
  const crate = project("backend");
  const recipe = snippets("toml")[0]!.replace('git = "…"', `path = "${join(ROOT, "proto")}"`);
  writeFileSync(join(crate, "Cargo.toml"), `[package]\nname = "backend"\nedition = "2024"\n\n${recipe}`);
  mkdirSync(join(crate, "src"));
  writeFileSync(join(crate, "src/main.rs"), snippets("rust")[0]!);
  // The same versions as here, which are on this machine.
  copyFileSync(join(ROOT, "Cargo.lock"), join(crate, "Cargo.lock"));
  const cargo = { ...env, CARGO_TARGET_DIR: TARGET, PROTOC: join(crate, "no-such-protoc") };

  const { stdout } = await run("cargo", ["run", "--quiet", "--offline"], { cwd: crate, env: cargo });

  expect(stdout).toBe("3 patients\n");
});

test("the Rust snippet is the example", () => {
  expect(snippets("rust")).toEqual([readFileSync(join(ROOT, "examples/client.rs"), "utf8")]);
});

test("Python's snippet counts the patients", { timeout: 300_000 }, async () => {
  const { env } = await environment();
  const python = { ...env, PACKAGES: join(folder, "python") };
  execFileSync("sh", ["-ec", snippets("sh python-setup")[0]!], { cwd: ROOT, env: python, stdio: "pipe" });

  const { stdout } = await run("python3", ["-c", snippets("python")[0]!], { env: { ...python, PYTHONPATH: python.PACKAGES } });

  expect(stdout).toBe("3 patients\n");
});

describe("an operator's recipe works", () => {
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    const { world, env: base } = await environment();
    const [item] = await world.conflicts();
    const endpoint = await world.deliver({ event: "patient.created", data: { id: "p1", first_name: "Erika", last_name: "Muster" } });
    const { webhookEvents } = await world.webhooks.listWebhookEvents({});
    const { settings } = await world.access.getTenantSettings({});
    env = {
      ...base,
      STELLWERK_DATA_DIR: inject("stellwerk").dataDir,
      TENANT: settings!.tenant!.tenantId,
      INTEGRATION: item!.integrationId,
      REVIEW_ITEM: item!.reviewItemId,
      WEBHOOK_EVENT: webhookEvents[0]!.webhookEventId,
      WEBHOOK_ENDPOINT: endpoint,
    };
    const { stdout } = await run("sh", ["-ec", snippets("sh keys")[0]!], { env });
    [env["OPERATOR_KEY"], env["SUPPORT_KEY"]] = stdout.match(/swk_\S+/g) ?? [];
  });

  test.each(snippets("sh operator").map((code) => [payloadAndMethod(code).join(" "), code]))("%s", async (_, code) => {
    const { stdout } = await run("sh", ["-euc", code], { env });

    expect(stdout).not.toBe("");
  });

  test("neither an operator nor support sees patients", async () => {
    const code = snippets("sh operator").find((code) => code.includes("PatientService"))!;

    for (const key of [env["OPERATOR_KEY"], env["SUPPORT_KEY"]]) {
      const refused = run("sh", ["-euc", code], { env: { ...env, STELLWERK_TOKEN: key } });
      await expect(refused).rejects.toThrow("permission_denied");
    }
  });

  test("each of them has its grpcurl form, which asks the same", () => {
    const pairs = [...README.matchAll(/^```sh operator\n([^]*?)^```\n\n((?: {4}.*\n)+)/gm)];

    expect(pairs).toHaveLength(snippets("sh operator").length);
    for (const [, buf, grpcurl] of pairs) {
      expect(grpcurl).toMatch(/^ {4}grpcurl /);
      expect(payloadAndMethod(grpcurl!)).toEqual(payloadAndMethod(buf!));
      expect(grpcurl!.match(/Bearer \$\w+/)?.[0]).toBe(buf!.match(/Bearer \$\w+/)?.[0]);
    }
  });
});

/** What a recipe calls, and with what. */
function payloadAndMethod(code: string): string[] {
  const method = code.match(/[\w.]+\/[A-Z]\w+(?="?$)/m)?.[0] ?? "list";
  return [method, code.match(/-d '(.*)' /)?.[1] ?? ""];
}
