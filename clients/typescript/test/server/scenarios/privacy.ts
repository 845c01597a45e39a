import { expect } from "vitest";
import { type Consent, ConsentScope, type PrivacyService } from "../../../src/gen/stellwerk/v1/privacy_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { refused, type Scenarios, type World } from "../../support/world.js";

async function grant(world: World): Promise<Consent> {
  const { webhookEndpoint } = await world.webhooks.createWebhookEndpoint({ provider: "booking", name: "tests" });
  const { consent } = await world.privacy.grantConsent({
    integrationId: webhookEndpoint!.integrationId,
    scopes: [ConsentScope.APPOINTMENTS],
    textVersion: "2026-11",
  });
  return consent!;
}

export const privacy: Scenarios<typeof PrivacyService> = {
  async grantConsent(world) {
    const consent = await grant(world);

    expect(consent.scopes).toEqual([ConsentScope.APPOINTMENTS]);
    expect(consent.userAgent).not.toBe("");
    await refused(
      world.privacy.grantConsent({ integrationId: consent.integrationId, textVersion: "2026-11" }),
      ErrorReason.INVALID_FIELD,
    );
  },

  async revokeConsent(world) {
    const { consentId } = await grant(world);

    const { consent } = await world.privacy.revokeConsent({ consentId });

    expect(consent?.revokeTime).toBeDefined();
  },

  async listConsents(world) {
    const consent = await grant(world);

    const { consents } = await world.privacy.listConsents({ integrationId: consent.integrationId, livingOnly: true });

    expect(consents).toEqual([consent]);
  },
};
