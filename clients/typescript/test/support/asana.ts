// A link with the Asana double that `stellwerk dev` runs, made as a person makes it: over its consent page.

import type { Client } from "@connectrpc/connect";
import { inject } from "vitest";
import {
  AbsenceSource,
  CustomFieldRole,
  type FieldMapping,
  type OnboardingService,
  OnboardingStep,
} from "../../src/gen/stellwerk/v1/onboarding_pb.js";
import { eventually, type World } from "./world.js";

/** Where the browser ends; allowed by the settings of the tests' server. */
export const RETURN_URL = "https://board.example.org/connected";

/** Walks from our address over the consent page to where the browser ends. */
export async function consent(authorizationUrl: string): Promise<URL> {
  let url = new URL(authorizationUrl);
  while (!url.href.startsWith(RETURN_URL)) {
    const answer = await fetch(url, { redirect: "manual" });
    const next = answer.headers.get("location");
    if (next === null) throw new Error(`${url.origin}${url.pathname} answered ${answer.status} and led nowhere`);
    url = new URL(next, url);
  }
  return url;
}

/** Connects Asana by its OAuth; nothing is onboarded yet. */
export async function connectAsana(world: World): Promise<string> {
  const { authorizationUrl } = await world.integrations.startAuthorization({
    provider: "asana",
    name: "Planung",
    returnUrl: RETURN_URL,
  });
  const completionCode = (await consent(authorizationUrl)).searchParams.get("completion_code") ?? "";
  const { integration } = await world.integrations.completeAuthorization({ completionCode });
  return integration!.integrationId;
}

/** Chooses the only workspace. */
export async function selectWorkspace(world: World, integrationId: string): Promise<void> {
  const { workspaces } = await world.onboarding.listWorkspaces({ integrationId });
  await world.onboarding.selectWorkspace({ integrationId, workspaceGid: workspaces[0]!.workspaceGid });
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

/** An integration whose first reading has ended. */
export async function onboarded(world: World): Promise<string> {
  const integrationId = await connectAsana(world);
  await selectWorkspace(world, integrationId);
  await world.onboarding.saveFieldMapping({ integrationId, fieldMapping: await suggested(world.onboarding, integrationId) });
  await world.onboarding.startInitialSync({ integrationId });
  await eventually(async () => {
    const { onboarding } = await world.onboarding.getOnboarding({ integrationId });
    return onboarding!.nextStep === OnboardingStep.WEBHOOKS ? true : undefined;
  }, 30_000);
  return integrationId;
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
