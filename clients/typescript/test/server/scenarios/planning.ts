import { expect } from "vitest";
import {
  ConflictSide,
  type Phase,
  type PhaseConflict,
  PhaseField,
  type PlanningService,
} from "../../../src/gen/stellwerk/v1/planning_pb.js";
import { ErrorReason, isStellwerkError } from "../../../src/index.js";
import { atTheBoard, planned } from "../../support/asana.js";
import { eventually, refused, type Scenarios, type World } from "../../support/world.js";

const NOBODY = "01890000-0000-7000-8000-000000000000";

async function phase(nth = 0): Promise<{ world: World; one: Phase }> {
  const { world, integrationId } = await planned();
  const { phases } = await world.planning.listPhases({ integrationId, openOnly: true });
  const dated = phases.filter(({ startDate, dueDate }) => startDate !== "" && dueDate !== "");
  return { world, one: dated[nth]! };
}

/** A phase whose due date was changed here and, before that had reached the board, there. */
async function conflicting(nth: number): Promise<{ world: World; one: PhaseConflict }> {
  const { world, one } = await phase(nth);
  const { phaseId, externalId } = one;
  await world.planning.updatePhase({ phaseId, dueDate: "2031-05-16", updateMask: { paths: ["due_date"] } });
  await atTheBoard("PUT", `/tasks/${externalId}`, { due_on: "2031-06-20" });
  return eventually(async () => {
    const { conflicts } = await world.planning.listConflicts({ phaseId });
    return conflicts[0] && { world, one: conflicts[0] };
  });
}

export const planning: Scenarios<typeof PlanningService> = {
  async listProjects() {
    const { world, integrationId } = await planned();

    const { projects } = await world.planning.listProjects({ integrationId });

    expect(projects.length).toBeGreaterThan(0);
    expect(projects[0]!.totals!.phaseCount).toBeGreaterThan(0n);
  },

  async getProject() {
    const { world, integrationId } = await planned();
    const { projects } = await world.planning.listProjects({ integrationId });

    const { project } = await world.planning.getProject({ projectId: projects[0]!.projectId });

    expect(project?.name).toBe(projects[0]!.name);
    await refused(world.planning.getProject({ projectId: NOBODY }), ErrorReason.PROJECT_NOT_FOUND);
  },

  async listPhases() {
    const { world, one } = await phase();

    const { phases } = await world.planning.listPhases({ projectId: one.projectIds[0]!, pageSize: 200 });

    expect(phases.map(({ phaseId }) => phaseId)).toContain(one.phaseId);
  },

  async getPhase() {
    const { world, one } = await phase();

    const { phase: found } = await world.planning.getPhase({ phaseId: one.phaseId });

    expect(found).toMatchObject({ phaseId: one.phaseId, name: one.name, externalId: one.externalId });
    await refused(world.planning.getPhase({ phaseId: NOBODY }), ErrorReason.PHASE_NOT_FOUND);
  },

  async updatePhase() {
    const { world, one } = await phase(1);
    const { phaseId, startDate } = one;

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

  async getPhaseHistory() {
    const { world, one } = await phase(2);
    const { phaseId } = one;
    await world.planning.updatePhase({ phaseId, dueDate: "2031-05-16", updateMask: { paths: ["due_date"] } });

    const { changes } = await world.planning.getPhaseHistory({ phaseId });

    expect(changes.map(({ dueDate }) => dueDate)).toContain("2031-05-16");
  },

  async listAbsences() {
    const { world, integrationId } = await planned();
    const { externalId, externalUserId } = (await world.planning.listUserMappings({ integrationId })).userMappings.at(-1)!;
    const practitionerId = await world.practitioner(`Dr. Uli Beispiel ${crypto.randomUUID()}`);
    await world.planning.setUserMapping({ externalUserId, practitionerId });
    await atTheBoard("POST", "/absences", { user: externalId, start_date: "2031-08-04", end_date: "2031-08-15" });
    await eventually(() =>
      world.syncLogs.startSync({ integrationId }).catch((error: unknown) => {
        // Another test's run may be under way, and one at a time is allowed.
        if (!isStellwerkError(error, ErrorReason.SYNC_RUNNING)) throw error;
        return undefined;
      }),
    );

    const absences = await eventually(async () => {
      const { absences } = await world.planning.listAbsences({ integrationId, practitionerId, dateFrom: "2031-01-01" });
      return absences.length > 0 ? absences : undefined;
    });

    expect(absences).toMatchObject([{ externalUserId, practitionerId, startDate: "2031-08-04", endDate: "2031-08-15" }]);
  },

  async listTimeEntries() {
    const { world, integrationId } = await planned();

    const { timeEntries } = await world.planning.listTimeEntries({ integrationId });

    expect(timeEntries.length).toBeGreaterThan(0);
  },

  async listUserMappings() {
    const { world, integrationId } = await planned();

    const { userMappings } = await world.planning.listUserMappings({ integrationId });

    expect(userMappings.map(({ name }) => name)).toContain("Erika Muster");
  },

  async setUserMapping() {
    const { world, integrationId } = await planned();
    const { userMappings } = await world.planning.listUserMappings({ integrationId });
    const practitionerId = await world.practitioner(`Dr. Uli Beispiel ${crypto.randomUUID()}`);

    const { userMapping } = await world.planning.setUserMapping({
      externalUserId: userMappings[0]!.externalUserId,
      practitionerId,
    });

    expect(userMapping?.practitionerId).toBe(practitionerId);
  },

  async listConflicts() {
    const { world, one } = await conflicting(3);

    const { conflicts } = await world.planning.listConflicts({ phaseId: one.phaseId });

    expect(conflicts).toMatchObject([
      { field: PhaseField.DUE_DATE, ourValue: "2031-05-16", theirValue: "2031-06-20", revertable: true },
    ]);
  },

  async revertConflict() {
    const { world, one } = await conflicting(4);
    const { phaseConflictId } = one;
    const lost = one.winner === ConflictSide.OURS ? one.theirValue : one.ourValue;

    const { conflict, phase: reverted } = await world.planning.revertConflict({ phaseConflictId });

    expect(reverted).toMatchObject({ phaseId: one.phaseId, dueDate: lost });
    expect(conflict).toMatchObject({ phaseConflictId, revertable: false });
    expect(conflict?.revertTime).toBeDefined();
    await refused(world.planning.revertConflict({ phaseConflictId }), ErrorReason.PHASE_CONFLICT_REVERTED);
    await refused(world.planning.revertConflict({ phaseConflictId: NOBODY }), ErrorReason.PHASE_CONFLICT_NOT_FOUND);
  },
};
