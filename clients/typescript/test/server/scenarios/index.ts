// Every service with its scenarios. A service that is missing here fails `every-rpc.test.ts`.

import type { DescService } from "@bufbuild/protobuf";
import { AccessService } from "../../../src/gen/stellwerk/v1/access_pb.js";
import { AlertService } from "../../../src/gen/stellwerk/v1/alert_pb.js";
import { AppointmentService } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { IntegrationService } from "../../../src/gen/stellwerk/v1/integration_pb.js";
import { OnboardingService } from "../../../src/gen/stellwerk/v1/onboarding_pb.js";
import { PatientService } from "../../../src/gen/stellwerk/v1/patient_pb.js";
import { PlanningService } from "../../../src/gen/stellwerk/v1/planning_pb.js";
import { PrivacyService } from "../../../src/gen/stellwerk/v1/privacy_pb.js";
import { ReviewService } from "../../../src/gen/stellwerk/v1/review_pb.js";
import { SyncLogService } from "../../../src/gen/stellwerk/v1/sync_log_pb.js";
import { WebhookService } from "../../../src/gen/stellwerk/v1/webhook_pb.js";
import type { World } from "../../support/world.js";
import { access } from "./access.js";
import { alert } from "./alert.js";
import { appointment } from "./appointment.js";
import { integration } from "./integration.js";
import { onboarding } from "./onboarding.js";
import { patient } from "./patient.js";
import { planning } from "./planning.js";
import { privacy } from "./privacy.js";
import { review } from "./review.js";
import { syncLog } from "./sync-log.js";
import { webhook } from "./webhook.js";

export const scenarios: readonly [DescService, Record<string, (world: World) => Promise<void>>][] = [
  [AccessService, access],
  [AlertService, alert],
  [AppointmentService, appointment],
  [IntegrationService, integration],
  [OnboardingService, onboarding],
  [PatientService, patient],
  [PlanningService, planning],
  [PrivacyService, privacy],
  [ReviewService, review],
  [SyncLogService, syncLog],
  [WebhookService, webhook],
];
