import { expect } from "vitest";
import { CustomFieldRole, type OnboardingService, OnboardingStep } from "../../../src/gen/stellwerk/v1/onboarding_pb.js";
import { Area } from "../../../src/gen/stellwerk/v1/planning_pb.js";
import { SyncState } from "../../../src/gen/stellwerk/v1/sync_log_pb.js";
import { ErrorReason, isStellwerkError } from "../../../src/index.js";
import { planned, suggested } from "../../support/asana.js";
import { eventually, refused, type Scenarios } from "../../support/world.js";

export const onboarding: Scenarios<typeof OnboardingService> = {
  async getOnboarding() {
    const { world, integrationId } = await planned();

    const { onboarding } = await world.onboarding.getOnboarding({ integrationId });

    expect(onboarding?.workspace?.isSelected).toBe(true);
    await refused(
      world.onboarding.getOnboarding({ integrationId: "01890000-0000-7000-8000-000000000000" }),
      ErrorReason.INTEGRATION_NOT_FOUND,
    );
  },

  async listWorkspaces() {
    const { world, integrationId } = await planned();

    const { workspaces } = await world.onboarding.listWorkspaces({ integrationId });

    expect(workspaces.map(({ isSelected }) => isSelected)).toEqual([true]);
  },

  async selectWorkspace() {
    const { world, integrationId } = await planned();
    const { workspaces } = await world.onboarding.listWorkspaces({ integrationId });

    const { onboarding } = await world.onboarding.selectWorkspace({ integrationId, workspaceGid: workspaces[0]!.workspaceGid });

    // Each step can be repeated; the same choice keeps what follows from it.
    expect(onboarding?.fieldMapping?.areaFieldName).toBe("Bereich");
  },

  async listCustomFields() {
    const { world, integrationId } = await planned();

    const { fields } = await world.onboarding.listCustomFields({ integrationId, pageSize: 200 });

    const area = fields.find(({ name }) => name === "Bereich");
    expect(area).toMatchObject({ suggestedRole: CustomFieldRole.AREA, isBestMatch: true });
    expect(area!.options.map(({ suggestedArea }) => suggestedArea)).toContain(Area.PRODUCTION);
  },

  async saveFieldMapping() {
    const { world, integrationId } = await planned();

    const { onboarding } = await world.onboarding.saveFieldMapping({
      integrationId,
      fieldMapping: await suggested(world.onboarding, integrationId),
    });

    expect(onboarding?.fieldMapping?.areaFieldName).toBe("Bereich");
    await refused(world.onboarding.saveFieldMapping({ integrationId }), ErrorReason.INVALID_FIELD);
  },

  async previewFieldMapping() {
    const { world, integrationId } = await planned();

    const { phases } = await world.onboarding.previewFieldMapping({
      integrationId,
      fieldMapping: await suggested(world.onboarding, integrationId),
      taskCount: 5,
    });

    expect(phases.length).toBeGreaterThan(0);
  },

  async startInitialSync() {
    const { world, integrationId } = await planned();

    // Another run may be under way, and one at a time is allowed.
    const syncLog = await eventually(async () => {
      const answer = await world.onboarding.startInitialSync({ integrationId }).catch((error: unknown) => {
        if (isStellwerkError(error, ErrorReason.SYNC_RUNNING)) return undefined;
        throw error;
      });
      return answer?.syncLog;
    });

    expect([SyncState.QUEUED, SyncState.RUNNING]).toContain(syncLog.state);
  },

  async activateWebhooks() {
    const { world, integrationId } = await planned();

    await world.onboarding.activateWebhooks({ integrationId });

    await eventually(async () => {
      const { onboarding } = await world.onboarding.getOnboarding({ integrationId });
      return onboarding!.nextStep === OnboardingStep.DONE ? true : undefined;
    });
  },
};
