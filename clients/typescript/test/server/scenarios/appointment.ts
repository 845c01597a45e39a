import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { Role } from "../../../src/gen/stellwerk/v1/access_rule_pb.js";
import { AppointmentService, AppointmentStatus } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { ErrorReason, items, resuming } from "../../../src/index.js";
import { CalcomAccount } from "../../support/calcom.js";
import { eventually, inFuture, refused, type Scenarios } from "../../support/world.js";

const HALF_AN_HOUR = durationFromMs(1_800_000);

export const appointment: Scenarios<typeof AppointmentService> = {
  async bookAppointment(world) {
    const practitionerId = await world.practitioner();
    const { patientId } = await world.patient();
    const slot = { patientId, practitionerId, startTime: inFuture(24), duration: HALF_AN_HOUR };

    const { appointment } = await world.appointments.bookAppointment(slot);

    expect(appointment?.status).toBe(AppointmentStatus.BOOKED);
    await refused(world.appointments.bookAppointment(slot), ErrorReason.SLOT_TAKEN);
  },

  async holdSlot(world) {
    const practitionerId = await world.practitioner();
    const { appointment } = await world.appointments.holdSlot({ practitionerId, startTime: inFuture(24), duration: HALF_AN_HOUR });
    const { patientId } = await world.patient();

    const booked = await world.appointments.bookAppointment({ holdAppointmentId: appointment!.appointmentId, patientId });

    expect(appointment?.status).toBe(AppointmentStatus.HELD);
    expect(booked.appointment).toMatchObject({ appointmentId: appointment!.appointmentId, status: AppointmentStatus.BOOKED });
  },

  async rescheduleAppointment(world) {
    const { appointmentId } = await world.booking();
    const startTime = inFuture(48);

    const { appointment } = await world.appointments.rescheduleAppointment({ appointmentId, startTime });

    expect(appointment?.startTime).toEqual(startTime);
  },

  async cancelAppointment(world) {
    const { appointmentId } = await world.booking();

    const { appointment } = await world.appointments.cancelAppointment({ appointmentId, reason: "ill" });

    expect(appointment).toMatchObject({ status: AppointmentStatus.CANCELLED, cancelReason: "ill" });
    await refused(
      world.appointments.rescheduleAppointment({ appointmentId, startTime: inFuture(48) }),
      ErrorReason.APPOINTMENT_STATUS,
    );
  },

  async getAppointment(world) {
    const booked = await world.booking();

    const { appointment } = await world.appointments.getAppointment({ appointmentId: booked.appointmentId });

    expect(appointment).toEqual(booked);
    await refused(
      world.appointments.getAppointment({ appointmentId: "01890000-0000-7000-8000-000000000000" }),
      ErrorReason.APPOINTMENT_NOT_FOUND,
    );
  },

  async listAppointments(world) {
    const practitionerId = await world.practitioner();
    for (const hour of [24, 25, 26]) await world.booking(practitionerId, hour);

    const found = [];
    const all = items((page) => world.appointments.listAppointments({ pageSize: 2, ...page }), (answer) => answer.appointments);
    for await (const { startTime } of all) found.push(startTime!.seconds);

    expect(found).toHaveLength(3);
    expect(found).toEqual([...found].sort());
  },

  async listMyAppointments(world) {
    const booked = await world.booking();
    const patient = await world.personal(Role.PATIENT, { case: "patientId", value: booked.patientId });

    const { appointments } = await patient.client(AppointmentService).listMyAppointments({});

    expect(appointments.map(({ appointmentId }) => appointmentId)).toEqual([booked.appointmentId]);
    await refused(world.appointments.listMyAppointments({}), ErrorReason.ROLE_NOT_ALLOWED);
  },

  async listFreeSlots(world) {
    const practitionerId = await world.practitioner();
    const { service } = await world.access.putService({ name: "Massage", duration: HALF_AN_HOUR });

    // Without a provider nobody knows the opening hours.
    await refused(
      world.appointments.listFreeSlots({ practitionerId, serviceId: service!.serviceId }),
      ErrorReason.SERVICE_NOT_CONNECTED,
    );

    // A first run takes over what can be booked at Cal.com, and who.
    const account = await CalcomAccount.create();
    await world.firstRun((await world.linked({ account })).integrationId);
    const { practitioners } = await world.access.listPractitioners({ pageSize: 200 });
    const { services } = await world.access.listServices({ pageSize: 200 });
    const host = practitioners.find(({ name }) => name === account.name)!;
    const offered = services.find(({ name }) => name === "Massage")!;
    const { freeSlots } = await world.appointments.listFreeSlots({
      practitionerId: host.practitionerId,
      serviceId: offered.serviceId,
    });
    expect(freeSlots.length).toBeGreaterThan(0);
  },

  async watchAppointments(world) {
    const seen: string[] = [];
    const left: string[] = [];
    const changes = resuming((from, options) => world.appointments.watchAppointments(from, options), {
      isLast: ({ event }) => event.case === "leave",
    });
    const watching = (async () => {
      for await (const { event } of changes) {
        if (event.case === "leave") left.push(event.value.appointmentId);
        if (event.case !== "change") continue;
        const { appointmentId, patientId } = event.value.appointment!;
        // With the first one's patient it goes away itself.
        if (seen.push(appointmentId) === 1) await world.patients.deletePatient({ patientId });
      }
    })();

    // The watch begins some time after it was asked for; a change before that is none of its.
    const booked: string[] = [];
    await eventually(async () => {
      booked.push((await world.booking()).appointmentId);
      return seen.length > 0 ? true : undefined;
    });

    await watching;
    expect(booked).toContain(seen[0]);
    expect(left).toEqual([seen[0]]);
  },

  async getAppointmentHistory(world) {
    const { appointmentId } = await world.booking();
    await world.appointments.cancelAppointment({ appointmentId });

    const { changes } = await world.appointments.getAppointmentHistory({ appointmentId });

    expect(changes.map(({ status }) => status)).toEqual([AppointmentStatus.BOOKED, AppointmentStatus.CANCELLED]);
  },
};
