// The Asana double that `stellwerk dev` runs, and the demo tenant's link with it.

import type { Client } from "@connectrpc/connect";
import { inject } from "vitest";
import {
  AbsenceSource,
  CustomFieldRole,
  type FieldMapping,
  type OnboardingService,
} from "../../src/gen/stellwerk/v1/onboarding_pb.js";
import { IntegrationState } from "../../src/gen/stellwerk/v1/integration_pb.js";
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
