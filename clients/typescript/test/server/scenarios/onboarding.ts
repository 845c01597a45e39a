import { expect } from "vitest";
import { CustomFieldRole, type OnboardingService, OnboardingStep } from "../../../src/gen/stellwerk/v1/onboarding_pb.js";
import { Area } from "../../../src/gen/stellwerk/v1/planning_pb.js";
import { SyncState } from "../../../src/gen/stellwerk/v1/sync_log_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { connectAsana, onboarded, selectWorkspace, suggested } from "../../support/asana.js";
import { eventually, refused, type Scenarios } from "../../support/world.js";

export const onboarding: Scenarios<typeof OnboardingService> = {
  async getOnboarding(world) {
    const integrationId = await connectAsana(world);

    const { onboarding } = await world.onboarding.getOnboarding({ integrationId });

    expect(onboarding?.nextStep).toBe(OnboardingStep.WORKSPACE);
    await refused(
      world.onboarding.getOnboarding({ integrationId: "01890000-0000-7000-8000-000000000000" }),
      ErrorReason.INTEGRATION_NOT_FOUND,
    );
  },

  async listWorkspaces(world) {
    const integrationId = await connectAsana(world);

    const { workspaces } = await world.onboarding.listWorkspaces({ integrationId });

    expect(workspaces.map(({ isSelected }) => isSelected)).toEqual([false]);
  },

  async selectWorkspace(world) {
    const integrationId = await connectAsana(world);
    const { workspaces } = await world.onboarding.listWorkspaces({ integrationId });

    const { onboarding } = await world.onboarding.selectWorkspace({ integrationId, workspaceGid: workspaces[0]!.workspaceGid });

    expect(onboarding?.nextStep).toBe(OnboardingStep.FIELD_MAPPING);
  },

  async listCustomFields(world) {
    const integrationId = await connectAsana(world);
    await selectWorkspace(world, integrationId);

    const { fields } = await world.onboarding.listCustomFields({ integrationId, pageSize: 200 });

    const area = fields.find(({ name }) => name === "Bereich");
    expect(area).toMatchObject({ suggestedRole: CustomFieldRole.AREA, isBestMatch: true });
    expect(area!.options.map(({ suggestedArea }) => suggestedArea)).toContain(Area.PRODUCTION);
  },

  async saveFieldMapping(world) {
    const integrationId = await connectAsana(world);
    await selectWorkspace(world, integrationId);

    const { onboarding } = await world.onboarding.saveFieldMapping({
      integrationId,
      fieldMapping: await suggested(world.onboarding, integrationId),
    });

    expect(onboarding?.nextStep).toBe(OnboardingStep.INITIAL_SYNC);
    await refused(world.onboarding.saveFieldMapping({ integrationId }), ErrorReason.INVALID_FIELD);
  },

  async previewFieldMapping(world) {
    const integrationId = await connectAsana(world);
    await selectWorkspace(world, integrationId);

    const { phases } = await world.onboarding.previewFieldMapping({
      integrationId,
      fieldMapping: await suggested(world.onboarding, integrationId),
      taskCount: 5,
    });

    expect(phases.length).toBeGreaterThan(0);
  },

  async startInitialSync(world) {
    const integrationId = await connectAsana(world);
    await selectWorkspace(world, integrationId);
    await world.onboarding.saveFieldMapping({
      integrationId,
      fieldMapping: await suggested(world.onboarding, integrationId),
    });

    const { syncLog } = await world.onboarding.startInitialSync({ integrationId });

    expect([SyncState.QUEUED, SyncState.RUNNING]).toContain(syncLog?.state);
  },

  async activateWebhooks(world) {
    const integrationId = await onboarded(world);

    await world.onboarding.activateWebhooks({ integrationId });

    await eventually(async () => {
      const { onboarding } = await world.onboarding.getOnboarding({ integrationId });
      return onboarding!.nextStep === OnboardingStep.DONE ? true : undefined;
    });
  },
};
