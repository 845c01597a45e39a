import { expect } from "vitest";
import { type Phase, type PlanningService } from "../../../src/gen/stellwerk/v1/planning_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { onboarded } from "../../support/asana.js";
import { refused, type Scenarios, type World } from "../../support/world.js";

const NOBODY = "01890000-0000-7000-8000-000000000000";

async function phase(world: World): Promise<Phase> {
  const { phases } = await world.planning.listPhases({ integrationId: await onboarded(world), openOnly: true });
  return phases.find(({ startDate, dueDate }) => startDate !== "" && dueDate !== "")!;
}

export const planning: Scenarios<typeof PlanningService> = {
  async listProjects(world) {
    const integrationId = await onboarded(world);

    const { projects } = await world.planning.listProjects({ integrationId });

    expect(projects.length).toBeGreaterThan(0);
    expect(projects[0]!.totals!.phaseCount).toBeGreaterThan(0n);
  },

  async getProject(world) {
    const integrationId = await onboarded(world);
    const { projects } = await world.planning.listProjects({ integrationId });

    const { project } = await world.planning.getProject({ projectId: projects[0]!.projectId });

    expect(project).toEqual(projects[0]);
    await refused(world.planning.getProject({ projectId: NOBODY }), ErrorReason.PROJECT_NOT_FOUND);
  },

  async listPhases(world) {
    const one = await phase(world);

    const { phases } = await world.planning.listPhases({ projectId: one.projectIds[0]!, pageSize: 200 });

    expect(phases.map(({ phaseId }) => phaseId)).toContain(one.phaseId);
  },

  async getPhase(world) {
    const one = await phase(world);

    const { phase: found } = await world.planning.getPhase({ phaseId: one.phaseId });

    expect(found).toEqual(one);
    await refused(world.planning.getPhase({ phaseId: NOBODY }), ErrorReason.PHASE_NOT_FOUND);
  },

  async updatePhase(world) {
    const { phaseId, startDate } = await phase(world);

    const { phase: updated } = await world.planning.updatePhase({
      phaseId,
      dueDate: "2031-05-16",
      plannedHours: "12.5",
      updateMask: { paths: ["due_date", "planned_hours"] },
    });

    expect(updated).toMatchObject({ startDate, dueDate: "2031-05-16", plannedHours: "12.5" });
    await refused(
      world.planning.updatePhase({ phaseId, dueDate: "2001-01-01", updateMask: { paths: ["due_date"] } }),
      ErrorReason.INVALID_FIELD,
    );
  },

  async getPhaseHistory(world) {
    const { phaseId } = await phase(world);
    await world.planning.updatePhase({ phaseId, dueDate: "2031-05-16", updateMask: { paths: ["due_date"] } });

    const { changes } = await world.planning.getPhaseHistory({ phaseId });

    expect(changes.map(({ dueDate }) => dueDate)).toContain("2031-05-16");
  },

  async listAbsences(world) {
    const integrationId = await onboarded(world);

    const { absences } = await world.planning.listAbsences({ integrationId });

    // Nobody of them is mapped yet, and only mapped people's absences are read.
    expect(absences).toEqual([]);
  },

  async listTimeEntries(world) {
    const integrationId = await onboarded(world);

    const { timeEntries } = await world.planning.listTimeEntries({ integrationId });

    expect(timeEntries.length).toBeGreaterThan(0);
  },

  async listUserMappings(world) {
    const integrationId = await onboarded(world);

    const { userMappings } = await world.planning.listUserMappings({ integrationId, unmappedOnly: true });

    expect(userMappings.map(({ practitionerId }) => practitionerId)).toEqual(userMappings.map(() => ""));
    expect(userMappings.length).toBeGreaterThan(0);
  },

  async setUserMapping(world) {
    const integrationId = await onboarded(world);
    const { userMappings } = await world.planning.listUserMappings({ integrationId });
    const practitionerId = await world.practitioner();

    const { userMapping } = await world.planning.setUserMapping({
      externalUserId: userMappings[0]!.externalUserId,
      practitionerId,
    });

    expect(userMapping?.practitionerId).toBe(practitionerId);
  },

  async listConflicts(world) {
    const { phaseId } = await phase(world);

    const { conflicts } = await world.planning.listConflicts({ phaseId });

    expect(conflicts).toEqual([]);
  },

  async revertConflict(world) {
    await refused(world.planning.revertConflict({ phaseConflictId: NOBODY }), ErrorReason.PHASE_CONFLICT_NOT_FOUND);
  },
};
