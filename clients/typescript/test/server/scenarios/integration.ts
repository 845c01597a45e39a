import { expect } from "vitest";
import { CredentialEvent, CredentialKind, type IntegrationService, IntegrationState } from "../../../src/gen/stellwerk/v1/integration_pb.js";
import { ErrorReason, resuming } from "../../../src/index.js";
import { consent, planned, RETURN_URL } from "../../support/asana.js";
import { CalcomAccount } from "../../support/calcom.js";
import { refused, type Scenarios } from "../../support/world.js";

export const integration: Scenarios<typeof IntegrationService> = {
  async listProviders(world) {
    const { providers } = await world.integrations.listProviders({ pageSize: 200 });

    const calcom = providers.find(({ provider }) => provider === "calcom");
    expect(calcom?.credentialKinds).toContain(CredentialKind.API_KEY);
  },

  async listIntegrations(world) {
    const { integrationId } = await world.linked();

    const { integrations } = await world.integrations.listIntegrations({ provider: "calcom" });

    expect(integrations.map((one) => one.integrationId)).toEqual([integrationId]);
  },

  async getIntegration(world) {
    const { integrationId } = await world.linked();

    const { integration } = await world.integrations.getIntegration({ integrationId });

    expect(integration).toMatchObject({ provider: "calcom", state: IntegrationState.CONNECTED });
  },

  async createIntegration(world) {
    const { instanceUrl } = await CalcomAccount.create();

    await refused(
      world.integrations.createIntegration({ provider: "calcom", name: "Kalender", apiKey: "cal_live_unknown", instanceUrl }),
      ErrorReason.CREDENTIAL_REFUSED,
    );
    const { integrationId } = await world.linked();

    expect((await world.firstRun(integrationId)).counts.map(({ noun }) => noun)).toContain("event_types");
  },

  async updateIntegration(world) {
    const { integrationId } = await world.linked();

    const { integration } = await world.integrations.updateIntegration({
      integrationId,
      name: "Praxiskalender",
      outboundPaused: true,
      updateMask: { paths: ["name", "outbound_paused"] },
    });

    expect(integration).toMatchObject({ name: "Praxiskalender", outboundPaused: true, inboundPaused: false });
  },

  async testIntegration(world) {
    const { integrationId } = await world.linked();

    const trial = await world.integrations.testIntegration({ integrationId });

    expect(trial).toMatchObject({ succeeded: true, reason: "" });
  },

  async disconnectIntegration(world) {
    const { integrationId } = await world.linked();

    const { integration } = await world.integrations.disconnectIntegration({ integrationId });

    expect([IntegrationState.DISCONNECTING, IntegrationState.DISCONNECTED]).toContain(integration?.state);
    await refused(
      world.integrations.updateIntegration({ integrationId, name: "Neu", updateMask: { paths: ["name"] } }),
      ErrorReason.INTEGRATION_STATE,
    );
  },

  async startAuthorization(world) {
    const returnUrl = "https://desk.example.org/settings";
    await world.access.updateTenantSettings({ returnUrls: [returnUrl], updateMask: { paths: ["return_urls"] } });
    await refused(
      world.integrations.startAuthorization({ provider: "jira", name: "Jira", returnUrl }),
      ErrorReason.OAUTH_NOT_CONFIGURED,
    );
    await world.integrations.putOAuthClient({ provider: "asana", clientIdentifier: "1200", clientSecret: "secret" });

    const started = await world.integrations.startAuthorization({ provider: "asana", name: "Planung", returnUrl });

    const url = new URL(started.authorizationUrl);
    expect(url.searchParams.get("client_id")).toBe("1200");
    expect(url.searchParams.get("code_challenge_method")).toBe("S256");
    expect(started.expireTime).toBeDefined();
  },

  async completeAuthorization(world) {
    const { world: demo, integrationId } = await planned();
    const { authorizationUrl } = await demo.integrations.startAuthorization({
      provider: "asana",
      integrationId,
      returnUrl: RETURN_URL,
    });
    const completionCode = (await consent(authorizationUrl)).searchParams.get("completion_code") ?? "";
    await refused(world.integrations.completeAuthorization({ completionCode }), ErrorReason.AUTHORIZATION_NOT_FOUND);

    const { integration } = await demo.integrations.completeAuthorization({ completionCode });

    expect(integration).toMatchObject({ integrationId, state: IntegrationState.CONNECTED });
  },

  async refreshCredential(world) {
    const { world: demo, integrationId } = await planned();
    const byKey = await world.linked();

    const { integration } = await demo.integrations.refreshCredential({ integrationId });

    expect(integration?.state).toBe(IntegrationState.CONNECTED);
    await refused(
      world.integrations.refreshCredential({ integrationId: byKey.integrationId }),
      ErrorReason.CREDENTIAL_NOT_REFRESHABLE,
    );
  },

  async listCredentialChanges(world) {
    const { integrationId } = await world.linked();

    const { changes } = await world.integrations.listCredentialChanges({ integrationId });

    expect(changes.map(({ event }) => event)).toEqual([CredentialEvent.GIVEN]);
  },

  async putOAuthClient(world) {
    const { client } = await world.integrations.putOAuthClient({
      provider: "asana",
      clientIdentifier: "1200",
      clientSecret: "secret",
    });

    expect(client?.clientIdentifier).toBe("1200");
    expect(client?.redirectUri).toContain("/api/auth/asana/callback");
  },

  async getIntegrationStatus(world) {
    const { integrationId } = await world.linked();
    await world.firstRun(integrationId);

    const { status } = await world.integrations.getIntegrationStatus({ integrationId });

    expect(status).toMatchObject({ eventTypeCount: 1, deadLetterCount: 0, syncHealth: { totalCount: 1, succeededCount: 1 } });
  },

  async watchIntegrationStatus(world) {
    const { integrationId } = await world.linked();
    const names: string[] = [];
    const dashboards = resuming(
      (from, options) => world.integrations.watchIntegrationStatus({ integrationId, ...from }, options),
      { isLast: ({ status }) => status?.integration?.name === "Umbenannt" },
    );

    for await (const { status } of dashboards) {
      names.push(status!.integration!.name);
      if (names.length === 1) {
        await world.integrations.updateIntegration({ integrationId, name: "Umbenannt", updateMask: { paths: ["name"] } });
      }
    }

    expect([...new Set(names)]).toEqual(["Kalender", "Umbenannt"]);
  },
};
