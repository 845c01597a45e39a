// Headless Chromium, on a page from another origin than the server's.

import { type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Code } from "../../src/index.js";
import { CHROMIUM, serve } from "../support/browser.js";
import { Stellwerk } from "../support/stellwerk.js";
import { eventually, inFuture, World } from "../support/world.js";
import type { Asked } from "./page.js";

let web: Awaited<ReturnType<typeof serve>>;
let browser: Browser;

beforeAll(async () => {
  const bundle = await build({
    entryPoints: [resolve(import.meta.dirname, "page.ts")],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  web = await serve(bundle.outputFiles[0]!.text);
  browser = await chromium.launch(CHROMIUM);
});

afterAll(async () => {
  await browser?.close();
  await web?.close();
});

/** On the origin that stellwerk allows in `dev`, or on another one with the same page. */
async function open(host = "localhost"): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`http://${host}:${web.port}/`);
  await page.waitForFunction(() => "stellwerk" in window);
  return page;
}

async function caller(): Promise<{ world: World; asked: Asked }> {
  const world = await World.create();
  return { world, asked: { baseUrl: inject("stellwerk").baseUrl, token: world.adminKey } };
}

test("a page calls and reads the answer", async () => {
  const { asked } = await caller();
  const page = await open();

  const timeZone = await page.evaluate((asked) => window.stellwerk.timeZone(asked), asked);

  expect(timeZone).toBe("Europe/Berlin");
});

test("a page reads what a refusal says in its details", async () => {
  const { asked } = await caller();
  const page = await open();

  const told = await page.evaluate((asked) => window.stellwerk.refusal(asked), asked);

  expect(told).toEqual({ code: Code.InvalidArgument, reason: "INVALID_FIELD", fields: ["appointment_id"] });
});

test("a refused token is renewed without the page noticing", async () => {
  const { asked } = await caller();
  const page = await open();

  const renewals = await page.evaluate((asked) => window.stellwerk.renewals(asked), asked);

  expect(renewals).toBe(2);
});

test("a page of a foreign origin may not call: its browser is not told that it may", async () => {
  const { asked } = await caller();
  const page = await open("foreign.example");
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));

  const told = await page.evaluate((asked) => window.stellwerk.refusal(asked), asked);

  // The browser keeps the answer to itself; there are no details to read.
  expect(told).toEqual({ code: Code.Unknown, reason: "UNSPECIFIED", fields: [] });
  await expect.poll(() => complaints.join()).toContain("has been blocked by CORS policy: Response to preflight request");
  expect(await preflight(`http://foreign.example:${web.port}`)).toEqual({ origin: null, headers: [] });
  expect(await preflight(`http://localhost:${web.port}`)).toEqual({
    origin: `http://localhost:${web.port}`,
    headers: ["authorization", "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent"],
  });
});

/** What the server answers a browser that asks whether a page of this origin may call, and with which headers. */
async function preflight(origin: string) {
  const { hostname, port } = new URL(inject("stellwerk").baseUrl);
  // By hand: `fetch` sets no `origin`.
  const answer = await new Promise<IncomingMessage>((done, fail) =>
    request({
      host: hostname,
      port,
      method: "OPTIONS",
      path: "/stellwerk.v1.AppointmentService/GetAppointment",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
    })
      .on("response", (answer) => done(answer.resume()))
      .on("error", fail)
      .end(),
  );
  const { "access-control-allow-origin": allowed = null, "access-control-allow-headers": headers } = answer.headers;
  return { origin: allowed, headers: allowed === null ? [] : headers!.split(",").toSorted() };
}

test("a page follows a run as it goes on, and what it counts only grows", async () => {
  const { world, asked } = await caller();
  const page = await open();
  const { syncLogId, gate } = await world.running();
  const shown = () => page.evaluate(() => window.stellwerk.shown);
  const counts = async () => (await shown()).map(({ processed }) => processed);

  try {
    const ended = page.evaluate(([asked, id]) => window.stellwerk.progress(asked, id), [asked, syncLogId] as const);
    await eventually(async () => ((await counts()).length > 0 ? true : undefined));
    gate.admit(1);
    await eventually(async () => ((await counts()).at(-1)! > (await counts())[0]! ? true : undefined));
    const live = await shown();
    gate.admit(100);
    await ended;

    expect(live.map(({ state }) => state)).not.toContain("SUCCEEDED");
    expect((await shown()).at(-1)?.state).toBe("SUCCEEDED");
    expect(await counts()).toEqual((await counts()).toSorted((a, b) => a - b));
  } finally {
    await gate.close();
  }
});

describe("with a server of its own", () => {
  let server: Stellwerk;
  let world: World;
  let asked: Asked;

  beforeAll(async () => {
    const origins = [`http://desk.example:${web.port}`, `http://localhost:${web.port}`];
    server = await Stellwerk.start({ STELLWERK_CORS_ORIGINS: origins.join() });
    const { baseUrl, adminKey: token } = server.address;
    [world, asked] = [World.of(baseUrl, token), { baseUrl, token }];
  });

  afterAll(() => server?.remove());

  test("a page that came over plain http may write, from an origin that the server was told", async () => {
    const page = await open("desk.example");

    const { patientId, isSecure } = await page.evaluate((asked) => window.stellwerk.write(asked), asked);

    expect(isSecure).toBe(false);
    expect(patientId).not.toBe("");
  });

  test("a watch shows changes as they come, and goes on over a restart without gap or double", async () => {
    const page = await open();
    void page.evaluate((asked) => window.stellwerk.startWatching(asked), asked);
    const seen = () => page.evaluate(() => window.stellwerk.watched.filter((text) => text.includes("-")));
    const practitionerId = await world.practitioner("Dr. Erika Beispiel");
    // It tells of what happens after its first message.
    await eventually(async () => (await page.evaluate(() => window.stellwerk.watched.length)) || undefined);
    // Something must come before the restart: only then there is a place to go on from.
    const first = await world.booking(practitionerId, 24);
    await eventually(async () => ((await seen()).length > 0 ? true : undefined));

    await server.stop();
    await server.start();
    const second = await world.booking(practitionerId, 48);
    await world.appointments.rescheduleAppointment({ appointmentId: second.appointmentId, startTime: inFuture(72) });

    const expected = await historyOf(world, [first.appointmentId, second.appointmentId]);
    const watched = await eventually(async () => {
      const ids = (await seen()).filter((id) => expected.includes(id));
      return ids.length >= expected.length ? ids : undefined;
    });
    expect(watched).toEqual(expected);
    expect(await page.evaluate(() => window.stellwerk.breaks)).toBeGreaterThan(0);
    await page.evaluate(() => window.stellwerk.stopWatching());
  });
});

/** The ids of all changes of these appointments, oldest first. */
async function historyOf(world: World, appointmentIds: readonly string[]): Promise<string[]> {
  const histories = appointmentIds.map((appointmentId) => world.appointments.getAppointmentHistory({ appointmentId }));
  return (await Promise.all(histories)).flatMap(({ changes }) => changes.map((change) => change.appointmentChangeId));
}
