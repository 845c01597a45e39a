// Headless Chromium, on a page from another origin than the server's.

import { resolve } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Code } from "../../src/index.js";
import { CHROMIUM, serve } from "../support/browser.js";
import { CalcomAccount } from "../support/calcom.js";
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

test("a page of a foreign origin may not call", async () => {
  const { asked } = await caller();
  const page = await open("foreign.example");

  const told = await page.evaluate((asked) => window.stellwerk.refusal(asked), asked);

  // The browser keeps the answer to itself; there are no details to read.
  expect(told).toEqual({ code: Code.Unknown, reason: "UNSPECIFIED", fields: [] });
});

test("a page follows a run to its end, and what it counts only grows", async () => {
  const { world, asked } = await caller();
  const page = await open();
  const account = await CalcomAccount.create();
  for (let hour = 24; hour < 29; hour++) await account.book(inFuture(hour));
  const { integrationId } = await world.linked({ account });
  const { syncLogId } = (await world.syncLogs.listSyncLogs({ integrationId })).syncLogs[0]!;

  const shown = await page.evaluate(([asked, id]) => window.stellwerk.progress(asked, id), [asked, syncLogId] as const);

  expect(shown.at(-1)?.state).toBe("SUCCEEDED");
  expect(shown.map(({ processed }) => processed)).toEqual(shown.map(({ processed }) => processed).sort((a, b) => a - b));
  expect(shown.at(-1)!.processed).toBeGreaterThanOrEqual(6);
});

test("a watch shows changes as they come, and goes on over a restart without gap or double", async () => {
  const server = await Stellwerk.start();
  try {
    const token = server.address.adminKey;
    const world = World.of(server.address.baseUrl, token);
    const page = await open();
    void page.evaluate((asked) => window.stellwerk.startWatching(asked), { baseUrl: server.address.baseUrl, token });
    const seen = () => page.evaluate(() => window.stellwerk.watched.filter((text) => text.includes("-")));
    const practitionerId = await world.practitioner("Dr. Erika Beispiel");
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
  } finally {
    await server.remove();
  }
});

/** The ids of all changes of these appointments, oldest first. */
async function historyOf(world: World, appointmentIds: readonly string[]): Promise<string[]> {
  const histories = appointmentIds.map((appointmentId) => world.appointments.getAppointmentHistory({ appointmentId }));
  return (await Promise.all(histories)).flatMap(({ changes }) => changes.map((change) => change.appointmentChangeId));
}
