// Every service with its scenarios. A service that is missing here fails `every-rpc.test.ts`.

import type { DescService } from "@bufbuild/protobuf";
import { AccessService } from "../../../src/gen/stellwerk/v1/access_pb.js";
import { AppointmentService } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { PatientService } from "../../../src/gen/stellwerk/v1/patient_pb.js";
import { WebhookService } from "../../../src/gen/stellwerk/v1/webhook_pb.js";
import type { World } from "../../support/world.js";
import { access } from "./access.js";
import { appointment } from "./appointment.js";
import { patient } from "./patient.js";
import { webhook } from "./webhook.js";

export const scenarios: readonly [DescService, Record<string, (world: World) => Promise<void>>][] = [
  [AccessService, access],
  [AppointmentService, appointment],
  [PatientService, patient],
  [WebhookService, webhook],
];
