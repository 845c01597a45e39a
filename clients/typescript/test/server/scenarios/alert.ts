import { expect } from "vitest";
import { type AlertDestination, AlertDestinationKind, type AlertService } from "../../../src/gen/stellwerk/v1/alert_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { refused, type Scenarios, type World } from "../../support/world.js";

async function put(world: World): Promise<AlertDestination> {
  const { alertDestination } = await world.alerts.putAlertDestination({
    kind: AlertDestinationKind.WEBHOOK,
    name: "Bereitschaft",
    url: "https://alerts.example.org/stellwerk?key=secret",
    headers: [{ name: "x-team", value: "praxis" }],
  });
  return alertDestination!;
}

export const alert: Scenarios<typeof AlertService> = {
  async putAlertDestination(world) {
    const destination = await put(world);

    // The rest of the address may be a secret.
    expect(destination.urlHost).toBe("alerts.example.org");
    await refused(
      world.alerts.putAlertDestination({ kind: AlertDestinationKind.WEBHOOK, name: "x", url: "https://169.254.169.254/" }),
      ErrorReason.INVALID_FIELD,
    );
  },

  async listAlertDestinations(world) {
    const destination = await put(world);

    const { alertDestinations } = await world.alerts.listAlertDestinations({});

    expect(alertDestinations).toEqual([destination]);
  },

  async deleteAlertDestination(world) {
    const { alertDestinationId } = await put(world);

    await world.alerts.deleteAlertDestination({ alertDestinationId });

    expect((await world.alerts.listAlertDestinations({})).alertDestinations).toEqual([]);
  },

  async testAlertDestination(world) {
    const { alertDestinationId } = await put(world);

    // The name is reserved for examples: nobody answers there, and that is told instead of thrown.
    const { succeeded, reason } = await world.alerts.testAlertDestination({ alertDestinationId });

    expect(succeeded).toBe(false);
    expect(reason).not.toBe("");
  },

  async listAlerts(world) {
    const { alerts } = await world.alerts.listAlerts({});

    // Nothing is wrong; and rules are looked at once a minute, which is too long to wait for here.
    expect(alerts).toEqual([]);
    await refused(world.alerts.listAlerts({ pageSize: -1 }), ErrorReason.INVALID_FIELD);
    await refused(world.alerts.listAlerts({ pageToken: "of another list" }), ErrorReason.PAGE_TOKEN_INVALID);
  },
};
