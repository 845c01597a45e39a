import { createHmac } from "node:crypto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, inject } from "vitest";
import { WebhookEventStatus, type WebhookService } from "../../../src/gen/stellwerk/v1/webhook_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { refused, type Scenarios, type World } from "../../support/world.js";

const create = ({ webhooks }: World) => webhooks.createWebhookEndpoint({ provider: "booking", name: "tests" });
const PATIENT_CREATED = {
  event: "patient.created",
  data: { id: "p1", first_name: "Erika", last_name: "Muster", email: "erika.muster@example.org" },
};

export const webhook: Scenarios<typeof WebhookService> = {
  async createWebhookEndpoint(world) {
    const { webhookEndpoint, secret } = await create(world);

    expect(webhookEndpoint?.url).toContain("/api/webhooks/booking/");
    expect(secret).not.toBe("");
  },

  async listWebhookEndpoints(world) {
    const { webhookEndpoint } = await create(world);

    const { webhookEndpoints } = await world.webhooks.listWebhookEndpoints({});

    expect(webhookEndpoints.map((one) => one.webhookEndpointId)).toEqual([webhookEndpoint!.webhookEndpointId]);
  },

  async disableWebhookEndpoint(world) {
    const { webhookEndpointId } = (await create(world)).webhookEndpoint!;

    const { webhookEndpoint } = await world.webhooks.disableWebhookEndpoint({ webhookEndpointId });

    expect(webhookEndpoint?.disabled).toBe(true);
    await refused(world.webhooks.rotateWebhookSecret({ webhookEndpointId }), ErrorReason.WEBHOOK_ENDPOINT_DISABLED);
  },

  async rotateWebhookSecret(world) {
    const made = await create(world);
    const { webhookEndpointId } = made.webhookEndpoint!;

    const rotated = await world.webhooks.rotateWebhookSecret({ webhookEndpointId, gracePeriod: durationFromMs(60_000) });

    expect(rotated.secret).not.toBe(made.secret);
    expect(rotated.webhookEndpoint?.secrets).toHaveLength(2);
  },

  async revealWebhookSecret(world) {
    const { webhookEndpoint } = await world.webhooks.createWebhookEndpoint({ provider: "notion", name: "tests" });
    const { webhookEndpointId, url } = webhookEndpoint!;
    await refused(world.webhooks.revealWebhookSecret({ webhookEndpointId }), ErrorReason.WEBHOOK_SECRET_NOT_TO_BE_SHOWN);
    const token = "secret_of_this_test_alone";
    const body = JSON.stringify({ verification_token: token });
    const signature = createHmac("sha256", token).update(body).digest("hex");
    const answer = await fetch(inject("stellwerk").httpUrl + new URL(url).pathname, {
      method: "POST",
      headers: { "content-type": "application/json", "x-notion-signature": `sha256=${signature}` },
      body,
    });

    const { secret } = await world.webhooks.revealWebhookSecret({ webhookEndpointId });

    expect([answer.status, secret]).toEqual([200, token]);
  },

  async listWebhookEvents(world) {
    await world.deliver(PATIENT_CREATED);

    const { webhookEvents } = await world.webhooks.listWebhookEvents({});

    expect(webhookEvents).toMatchObject([{ eventType: "patient.created", status: WebhookEventStatus.SUCCESS }]);
  },

  async replayWebhookEvent(world) {
    await world.deliver(PATIENT_CREATED);
    const { webhookEvents } = await world.webhooks.listWebhookEvents({});
    const { webhookEventId } = webhookEvents[0]!;

    const { webhookEvent } = await world.webhooks.replayWebhookEvent({ webhookEventId });

    expect(webhookEvent?.originalWebhookEventId).toBe(webhookEventId);
  },
};
