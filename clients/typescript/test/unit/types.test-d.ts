import { expectTypeOf, test } from "vitest";
import { connect, type ErrorFacts, ErrorReason, factsOf, isStellwerkError, items, type TokenProvider } from "../../src/index.js";
import { type Appointment, AppointmentService } from "../../src/gen/stellwerk/v1/appointment_pb.js";

const connection = connect({ baseUrl: "https://stellwerk.example.org", token: "swk_x" });
const appointments = connection.client(AppointmentService);

test("requests are checked and answers are typed", () => {
  expectTypeOf(appointments.getAppointment).parameter(0).toExtend<{ appointmentId?: string }>();
  expectTypeOf(appointments.getAppointment({ appointmentId: "" })).resolves.toHaveProperty("appointment");
  // @ts-expect-error no such field
  void appointments.getAppointment({ appointment: "" });
  // @ts-expect-error no such call
  void appointments.deleteAppointment;
});

test("items have the type of what the selector picks", () => {
  const found = items((page) => appointments.listAppointments(page), (answer) => answer.appointments);
  expectTypeOf(found).toEqualTypeOf<AsyncGenerator<Appointment, void, undefined>>();
});

test("errors are narrowed, facts are read-only", () => {
  const error: unknown = undefined;
  if (isStellwerkError(error, ErrorReason.SLOT_TAKEN)) expectTypeOf(error.code).toBeNumber();
  if (isStellwerkError(error)) {
    if (isStellwerkError(error, ErrorReason.SLOT_TAKEN)) expectTypeOf(error.rawMessage).toBeString();
    else expectTypeOf(error.code).toBeNumber();
  }
  expectTypeOf(factsOf).returns.toEqualTypeOf<ErrorFacts>();
  // @ts-expect-error read-only
  factsOf(error).reason = ErrorReason.UNSPECIFIED;
});

test("a token is a text, or what gives one, now or later", () => {
  expectTypeOf<() => Promise<string>>().toExtend<TokenProvider>();
  // @ts-expect-error a connection says who is calling
  connect({ baseUrl: "https://stellwerk.example.org" });
});
