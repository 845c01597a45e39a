import { expect } from "vitest";
import {
  LinkCandidateState,
  LinkDecision,
  PatientImportState,
  type PatientService,
} from "../../../src/gen/stellwerk/v1/patient_pb.js";
import { ErrorReason, items } from "../../../src/index.js";
import { eventually, refused, type Scenarios, type World } from "../../support/world.js";

/** The booking tool reports somebody with the birth date and name of a known patient, but another address. */
async function twins(world: World) {
  const known = await world.patient({ birthDate: "1980-02-29" });
  await world.deliver({
    event: "patient.created",
    data: { id: "p1", first_name: "Erika", last_name: "Muster", email: "other@example.org", birth_date: "1980-02-29" },
  });
  const { linkCandidates } = await world.patients.listLinkCandidates({});
  return { known, candidate: linkCandidates[0]! };
}

async function uploaded({ patients }: World, csv: string) {
  const { patientImport } = await patients.startPatientImport({});
  const { patientImportId } = patientImport!;
  const { receivedBytes } = await patients.uploadPatientImportChunk({ patientImportId, data: new TextEncoder().encode(csv) });
  return { patientImportId, receivedBytes };
}

const CSV = "Vorname;Nachname;E-Mail;Geburtsdatum\nErika;Muster;erika@example.org;29.02.1980\nMax;Beispiel;max@example.org;31.02.1980\n";

async function ended({ patients }: World, patientImportId: string) {
  return eventually(async () => {
    const answer = await patients.getPatientImport({ patientImportId });
    return answer.patientImport?.state === PatientImportState.SUCCEEDED ? answer : undefined;
  });
}

export const patient: Scenarios<typeof PatientService> = {
  async createPatient({ patients }) {
    const { patient } = await patients.createPatient({ firstName: "Erika", lastName: "Muster", email: "Erika@Example.org" });

    expect(patient).toMatchObject({ firstName: "Erika", lastName: "Muster", possibleTwin: false });
    await refused(patients.createPatient({ firstName: "Nobody" }), ErrorReason.INVALID_FIELD);
  },

  async getPatient(world) {
    const made = await world.patient();

    const { patient } = await world.patients.getPatient({ patientId: made.patientId });

    expect(patient).toEqual(made);
  },

  async listPatients(world) {
    for (const lastName of ["Zander", "Adler", "Muster"]) await world.patient({ lastName });

    const names: string[] = [];
    const all = items((page) => world.patients.listPatients({ pageSize: 2, ...page }), (answer) => answer.patients);
    for await (const { lastName } of all) names.push(lastName);

    expect(names).toEqual(["Adler", "Muster", "Zander"]);
  },

  async updatePatient(world) {
    const { patientId } = await world.patient();

    const { patient } = await world.patients.updatePatient({
      patientId,
      phone: "+49 30 901820",
      updateMask: { paths: ["phone"] },
    });

    expect(patient).toMatchObject({ firstName: "Erika", phone: "+49 30 901820" });
  },

  async deletePatient(world) {
    const { patientId } = await world.patient();

    await world.patients.deletePatient({ patientId });

    await refused(world.patients.getPatient({ patientId }), ErrorReason.PATIENT_NOT_FOUND);
  },

  async startPatientImport({ patients }) {
    const { patientImport } = await patients.startPatientImport({});

    expect(patientImport?.state).toBe(PatientImportState.UPLOADING);
  },

  async uploadPatientImportChunk(world) {
    const { patientImportId, receivedBytes } = await uploaded(world, CSV);

    expect(receivedBytes).toBe(BigInt(CSV.length));
    const late = { patientImportId, offsetBytes: 100_000n, data: new Uint8Array(1) };
    await refused(world.patients.uploadPatientImportChunk(late), ErrorReason.PATIENT_IMPORT_OFFSET);
  },

  async finishPatientImport(world) {
    const { patientImportId } = await uploaded(world, CSV);

    await world.patients.finishPatientImport({ patientImportId });

    const { patientImport } = await ended(world, patientImportId);
    expect(patientImport).toMatchObject({ createdRows: 1n, refusedRows: 1n });
  },

  async getPatientImport(world) {
    const { patientImportId } = await uploaded(world, CSV);
    await world.patients.finishPatientImport({ patientImportId, dryRun: true });

    const { patientImport, rows } = await ended(world, patientImportId);

    expect(patientImport).toMatchObject({ dryRun: true, processedRows: 2n });
    expect(rows.map((row) => row.rowNumber)).toEqual([1n, 2n]);
    const { patients } = await world.patients.listPatients({});
    expect(patients).toEqual([]);
  },

  async getBookingLink(world) {
    const { patientId } = await world.patient();
    await refused(world.patients.getBookingLink({ patientId }), ErrorReason.BOOKING_URL_NOT_CONFIGURED);
    await world.access.updateTenantSettings({
      bookingUrl: "https://booking.example.org/praxis",
      updateMask: { paths: ["booking_url"] },
    });

    const { url } = await world.patients.getBookingLink({ patientId });

    expect(decodeURIComponent(url)).toContain("Erika");
  },

  async listLinkCandidates(world) {
    const { known, candidate } = await twins(world);

    expect(candidate).toMatchObject({ state: LinkCandidateState.OPEN, knownPatient: { patientId: known.patientId } });
  },

  async resolveLinkCandidate(world) {
    const { known, candidate } = await twins(world);
    const decided = { linkCandidateId: candidate.linkCandidateId, decision: LinkDecision.MERGE };

    const { linkCandidate } = await world.patients.resolveLinkCandidate(decided);

    expect(linkCandidate?.state).toBe(LinkCandidateState.MERGED);
    const { patients } = await world.patients.listPatients({});
    expect(patients.map(({ patientId }) => patientId)).toEqual([known.patientId]);
    await refused(world.patients.resolveLinkCandidate(decided), ErrorReason.LINK_CANDIDATE_DECIDED);
  },

  async unlinkPatient(world) {
    const { known, candidate } = await twins(world);
    await world.patients.resolveLinkCandidate({ linkCandidateId: candidate.linkCandidateId, decision: LinkDecision.MERGE });
    const { patient } = await world.patients.getPatient({ patientId: known.patientId });

    const undone = await world.patients.unlinkPatient({
      patientId: known.patientId,
      patientLinkId: patient!.links[0]!.patientLinkId,
    });

    expect(undone.unlinkedPatient?.patientId).not.toBe(known.patientId);
  },
};
