// The Asana double that `stellwerk dev` runs, and the demo tenant's link with it.

import { randomUUID } from "node:crypto";
import type { Client } from "@connectrpc/connect";
import { inject } from "vitest";
import {
  AbsenceSource,
  CustomFieldRole,
  type FieldMapping,
  type OnboardingService,
} from "../../src/gen/stellwerk/v1/onboarding_pb.js";
import { IntegrationState } from "../../src/gen/stellwerk/v1/integration_pb.js";
import type { DeadLetter } from "../../src/gen/stellwerk/v1/review_pb.js";
import { SyncState } from "../../src/gen/stellwerk/v1/sync_log_pb.js";
import { eventually, World } from "./world.js";

/** Where the browser ends; allowed by the settings of the tests' server. */
export const RETURN_URL = "https://board.example.org/connected";

/** Walks from our address over the consent page to where the browser ends. */
export async function consent(authorizationUrl: string): Promise<URL> {
  await atTheBoard("PUT", "/settings", { consent: "approve" });
  let url = new URL(authorizationUrl);
  while (!url.href.startsWith(RETURN_URL)) {
    const answer = await fetch(url, { redirect: "manual" });
    const next = answer.headers.get("location");
    if (next === null) throw new Error(`${url.origin}${url.pathname} answered ${answer.status} and led nowhere`);
    url = new URL(next, url);
  }
  return url;
}

/** The demo tenant, and its link with the double: an account at Asana belongs to one tenant, so the tests share it. */
export async function planned(): Promise<{ world: World; integrationId: string }> {
  const { baseUrl, adminKey } = inject("stellwerk");
  const world = World.of(baseUrl, adminKey);
  const integrationId = await eventually(async () => {
    const { integrations } = await world.integrations.listIntegrations({ provider: "asana" });
    const id = integrations.find(({ state }) => state === IntegrationState.CONNECTED)?.integrationId;
    const { syncLogs } = id === undefined ? { syncLogs: [] } : await world.syncLogs.listSyncLogs({ integrationId: id });
    return syncLogs.some(({ state }) => state === SyncState.SUCCEEDED) ? id : undefined;
  }, 30_000);
  return { world, integrationId };
}

/** What the fields' names suggest. */
export async function suggested(
  onboarding: Client<typeof OnboardingService>,
  integrationId: string,
): Promise<Omit<FieldMapping, "$typeName" | "$unknown">> {
  const { fields } = await onboarding.listCustomFields({ integrationId, pageSize: 200 });
  const best = (role: CustomFieldRole) => fields.find((field) => field.isBestMatch && field.suggestedRole === role);
  const area = best(CustomFieldRole.AREA);
  return {
    areaFieldGid: area!.fieldGid,
    options: area!.options.map(({ $typeName: _, $unknown: __, ...option }) => ({
      $typeName: "stellwerk.v1.OptionMapping",
      optionGid: option.optionGid,
      area: option.suggestedArea,
      name: "",
      color: "",
      isEnabled: option.isEnabled,
    })),
    hoursFieldGid: best(CustomFieldRole.HOURS)?.fieldGid ?? "",
    absenceSource: AbsenceSource.OUT_OF_OFFICE,
    absenceProjectGid: "",
    absenceKindFieldGid: "",
    areaFieldName: "",
    hoursFieldName: "",
    hoursPrecision: 0,
  };
}

/** A task of its own at the board whose change was given up: it was deleted there before the change had reached it. */
export async function givenUp(): Promise<{ world: World; deadLetter: DeadLetter }> {
  const { world, integrationId } = await planned();
  const { projects } = await world.planning.listProjects({ integrationId });
  const { gid: externalId } = await atTheBoard<{ gid: string }>("POST", "/tasks", {
    project: projects[0]!.externalId,
    name: `Aufgabe ${randomUUID()}`,
    start_on: "2031-05-01",
    due_on: "2031-05-09",
  });
  const phaseId = await eventually(async () => {
    const { phases } = await world.planning.listPhases({ integrationId, pageSize: 200 });
    return phases.find((phase) => phase.externalId === externalId)?.phaseId;
  }, 30_000);
  await world.planning.updatePhase({ phaseId, dueDate: "2031-05-16", updateMask: { paths: ["due_date"] } });
  await atTheBoard("POST", `/tasks/${externalId}/delete`, {});
  const deadLetter = await eventually(async () => {
    const { deadLetters } = await world.reviews.listDeadLetters({ filter: { integrationId } });
    return deadLetters.find(({ lane }) => lane.endsWith(phaseId));
  }, 30_000);
  return { world, deadLetter };
}

/** Somebody does something at the board, as in `/tasks/123` with `{"due_on": "2026-12-11"}`. */
export async function atTheBoard<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${inject("stellwerk").asanaUrl}/sandbox${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`the double refused ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
