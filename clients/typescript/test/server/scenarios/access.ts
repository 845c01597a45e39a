import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { AccessService } from "../../../src/gen/stellwerk/v1/access_pb.js";
import { Role } from "../../../src/gen/stellwerk/v1/access_rule_pb.js";
import { PatientService } from "../../../src/gen/stellwerk/v1/patient_pb.js";
import { ErrorReason, items } from "../../../src/index.js";
import { as, refused, type Scenarios, World } from "../../support/world.js";

export const access: Scenarios<typeof AccessService> = {
  async createTenant({ access }) {
    // `World.create` makes one as an operator; nobody else may.
    await refused(access.createTenant({ name: "Another", timeZone: "Europe/Berlin" }), ErrorReason.ROLE_NOT_ALLOWED);
    await expect(World.create()).resolves.toBeInstanceOf(World);
  },

  async getTenantSettings({ access }) {
    const { settings } = await access.getTenantSettings({});

    expect(settings).toMatchObject({ timeZone: "Europe/Berlin", webhookLimitPerMinute: 100 });
  },

  async updateTenantSettings({ access }) {
    const { settings } = await access.updateTenantSettings({
      bookingUrl: "https://booking.example.org/praxis",
      updateMask: { paths: ["booking_url"] },
    });

    expect(settings?.bookingUrl).toBe("https://booking.example.org/praxis");
  },

  async linkSubject(world) {
    const person = { case: "practitionerId", value: await world.practitioner() } as const;
    const { subjectLink } = await world.access.linkSubject({ issuer: "https://idp.example.org", subject: "u1", person });

    expect(subjectLink?.practitionerId).toBe(person.value);
    await refused(
      world.access.linkSubject({ issuer: "https://idp.example.org", subject: "u1", person }),
      ErrorReason.SUBJECT_ALREADY_LINKED,
    );
  },

  async unlinkSubject(world) {
    const person = { case: "practitionerId", value: await world.practitioner() } as const;
    const { subjectLink } = await world.access.linkSubject({ issuer: "https://idp.example.org", subject: "u1", person });

    await world.access.unlinkSubject({ subjectLinkId: subjectLink!.subjectLinkId });

    const { subjectLinks } = await world.access.listSubjects({});
    expect(subjectLinks).toEqual([]);
  },

  async listSubjects(world) {
    const person = { case: "practitionerId", value: await world.practitioner() } as const;
    await world.access.linkSubject({ issuer: "https://idp.example.org", subject: "u1", person });

    const { subjectLinks } = await world.access.listSubjects({});

    expect(subjectLinks.map((link) => link.subject)).toEqual(["u1"]);
  },

  async createApiKey({ access }) {
    const { secret } = await access.createApiKey({ name: "phone", role: Role.SERVICE, scopes: ["patients:read"] });

    await expect(as(secret).client(PatientService).listPatients({})).resolves.toBeDefined();
  },

  async listApiKeys({ access }) {
    await access.createApiKey({ name: "second", role: Role.HR });

    const names: string[] = [];
    const keys = items((page) => access.listApiKeys({ pageSize: 1, ...page }), (answer) => answer.apiKeys);
    for await (const key of keys) names.push(key.name);

    expect(names).toHaveLength(2);
    expect(names).toContain("second");
  },

  async revokeApiKey({ access }) {
    const { apiKey, secret } = await access.createApiKey({ name: "gone", role: Role.ADMIN });
    const theirs = as(secret).client(AccessService);
    await theirs.getTenantSettings({});

    await access.revokeApiKey({ apiKeyId: apiKey!.apiKeyId });

    await refused(theirs.getTenantSettings({}), ErrorReason.API_KEY_REVOKED);
  },

  async listServices({ access }) {
    await access.putService({ name: "Massage", duration: durationFromMs(1_800_000) });

    const { services } = await access.listServices({});

    expect(services.map((service) => service.name)).toEqual(["Massage"]);
  },

  async putService({ access }) {
    const { service } = await access.putService({ name: "Massage", duration: durationFromMs(1_800_000) });
    const renamed = await access.putService({
      serviceId: service!.serviceId,
      name: "Krankengymnastik",
      duration: durationFromMs(1_800_000),
    });

    expect(renamed.service).toMatchObject({ serviceId: service!.serviceId, name: "Krankengymnastik" });
    await refused(
      access.putService({ name: "krankengymnastik", duration: durationFromMs(600_000) }),
      ErrorReason.NAME_TAKEN,
    );
  },

  async listPractitioners(world) {
    await world.practitioner();

    const { practitioners } = await world.access.listPractitioners({});

    expect(practitioners.map((practitioner) => practitioner.name)).toEqual(["Dr. Max Beispiel"]);
  },

  async putPractitioner(world) {
    const practitionerId = await world.practitioner();

    const { practitioner } = await world.access.putPractitioner({ practitionerId, name: "Dr. Max Muster", archived: true });

    expect(practitioner).toMatchObject({ practitionerId, name: "Dr. Max Muster", archived: true });
  },
};
