//! Somebody else's ids in requests that are the caller's own in everything else.

use stellwerk::proto::{link_subject_request::Person, *};

use super::{Case, NOTHING, Records, case, in_days};

/// A request with a new id field fails the test until it is here.
pub(super) fn all(theirs: &Records, own: &Records) -> Vec<Case> {
    let mut cases = access_cases(theirs);
    cases.extend(patient_cases(theirs, own));
    cases.extend(appointment_cases(theirs, own));
    cases.extend(webhook_cases(theirs));
    cases
}

fn access_cases(theirs: &Records) -> Vec<Case> {
    vec![
        case(
            "AccessService/UpdateTenantSettings",
            "default_practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |id| UpdateTenantSettingsRequest { default_practitioner_id: id, ..Default::default() },
        ),
        case(
            "AccessService/LinkSubject",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |id| link_subject(Person::PractitionerId(id)),
        ),
        case("AccessService/LinkSubject", "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |id| {
            link_subject(Person::PatientId(id))
        }),
        case(
            "AccessService/UnlinkSubject",
            "subject_link_id",
            &theirs.subject_link,
            "SUBJECT_LINK_NOT_FOUND",
            |subject_link_id| UnlinkSubjectRequest { subject_link_id, ..Default::default() },
        ),
        case(
            "AccessService/RevokeApiKey",
            "api_key_id",
            &theirs.api_key,
            "API_KEY_NOT_FOUND",
            |api_key_id| RevokeApiKeyRequest { api_key_id, ..Default::default() },
        ),
        case("AccessService/PutService", "service_id", &theirs.service, "SERVICE_NOT_FOUND", |service_id| {
            PutServiceRequest {
                service_id,
                name: "Other".into(),
                duration: Some(half_an_hour()),
                ..Default::default()
            }
        }),
        case(
            "AccessService/PutPractitioner",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| PutPractitionerRequest {
                practitioner_id,
                name: "Other".into(),
                ..Default::default()
            },
        ),
    ]
}

fn patient_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let import = "PATIENT_IMPORT_NOT_FOUND";
    vec![
        case(
            "PatientService/CreatePatient",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| CreatePatientRequest {
                practitioner_id,
                last_name: "Muster".into(),
                ..Default::default()
            },
        ),
        case("PatientService/GetPatient", "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |patient_id| {
            GetPatientRequest { patient_id }
        }),
        case(
            "PatientService/ListPatients",
            "practitioner_id",
            &theirs.practitioner,
            NOTHING,
            |practitioner_id| ListPatientsRequest { practitioner_id, ..Default::default() },
        ),
        case(
            "PatientService/UpdatePatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| UpdatePatientRequest { patient_id, first_name: "Else".into(), ..Default::default() },
        ),
        case(
            "PatientService/UpdatePatient",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| UpdatePatientRequest {
                patient_id: own.patient.clone(),
                practitioner_id,
                ..Default::default()
            },
        ),
        case(
            "PatientService/DeletePatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| DeletePatientRequest { patient_id, ..Default::default() },
        ),
        case(
            "PatientService/StartPatientImport",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |integration_id| StartPatientImportRequest { integration_id, ..Default::default() },
        ),
        case(
            "PatientService/UploadPatientImportChunk",
            "patient_import_id",
            &theirs.patient_import,
            import,
            |id| UploadPatientImportChunkRequest {
                patient_import_id: id,
                offset_bytes: 0,
                data: b"nachname\n".to_vec(),
            },
        ),
        case(
            "PatientService/FinishPatientImport",
            "patient_import_id",
            &theirs.patient_import,
            import,
            |id| FinishPatientImportRequest { patient_import_id: id, dry_run: true },
        ),
        case("PatientService/GetPatientImport", "patient_import_id", &theirs.patient_import, import, |id| {
            GetPatientImportRequest { patient_import_id: id, ..Default::default() }
        }),
        case(
            "PatientService/GetBookingLink",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| GetBookingLinkRequest { patient_id },
        ),
        case(
            "PatientService/ResolveLinkCandidate",
            "link_candidate_id",
            &theirs.link_candidate,
            "LINK_CANDIDATE_NOT_FOUND",
            |link_candidate_id| ResolveLinkCandidateRequest {
                link_candidate_id,
                decision: LinkDecision::Merge.into(),
                ..Default::default()
            },
        ),
        case(
            "PatientService/UnlinkPatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| UnlinkPatientRequest {
                patient_id,
                patient_link_id: own.patient_link.clone(),
                ..Default::default()
            },
        ),
        case(
            "PatientService/UnlinkPatient",
            "patient_link_id",
            &theirs.patient_link,
            "PATIENT_LINK_NOT_FOUND",
            |patient_link_id| UnlinkPatientRequest {
                patient_id: own.patient.clone(),
                patient_link_id,
                ..Default::default()
            },
        ),
    ]
}

fn appointment_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let (book, hold, move_) = (
        "AppointmentService/BookAppointment",
        "AppointmentService/HoldSlot",
        "AppointmentService/RescheduleAppointment",
    );
    let (cancel, list) = ("AppointmentService/CancelAppointment", "AppointmentService/ListAppointments");
    let (get, history) = ("AppointmentService/GetAppointment", "AppointmentService/GetAppointmentHistory");
    let (patient, practitioner) = ("PATIENT_NOT_FOUND", "PRACTITIONER_NOT_FOUND");
    let (service, appointment) = ("SERVICE_NOT_FOUND", "APPOINTMENT_NOT_FOUND");
    let booking = || BookAppointmentRequest {
        patient_id: own.patient.clone(),
        practitioner_id: own.practitioner.clone(),
        service_id: own.service.clone(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    let holding = || HoldSlotRequest {
        practitioner_id: own.practitioner.clone(),
        service_id: own.service.clone(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    let moving = |appointment_id: &str| RescheduleAppointmentRequest {
        appointment_id: appointment_id.into(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    vec![
        case(book, "hold_appointment_id", &theirs.hold, appointment, |hold_appointment_id| {
            BookAppointmentRequest {
                hold_appointment_id,
                patient_id: own.patient.clone(),
                ..Default::default()
            }
        }),
        case(book, "patient_id", &theirs.patient, patient, |id| BookAppointmentRequest {
            patient_id: id,
            ..booking()
        }),
        case(book, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            BookAppointmentRequest { practitioner_id, ..booking() }
        }),
        case(book, "service_id", &theirs.service, service, |id| BookAppointmentRequest {
            service_id: id,
            ..booking()
        }),
        case(hold, "patient_id", &theirs.patient, patient, |id| HoldSlotRequest {
            patient_id: id,
            ..holding()
        }),
        case(hold, "practitioner_id", &theirs.practitioner, practitioner, |id| HoldSlotRequest {
            practitioner_id: id,
            ..holding()
        }),
        case(hold, "service_id", &theirs.service, service, |id| HoldSlotRequest {
            service_id: id,
            ..holding()
        }),
        case(move_, "appointment_id", &theirs.appointment, appointment, |id| moving(&id)),
        case(move_, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            RescheduleAppointmentRequest { practitioner_id, ..moving(&own.appointment) }
        }),
        case(cancel, "appointment_id", &theirs.appointment, appointment, |id| CancelAppointmentRequest {
            appointment_id: id,
            ..Default::default()
        }),
        case(get, "appointment_id", &theirs.appointment, appointment, |id| GetAppointmentRequest {
            appointment_id: id,
        }),
        case(history, "appointment_id", &theirs.appointment, appointment, |id| {
            GetAppointmentHistoryRequest { appointment_id: id, ..Default::default() }
        }),
        case(list, "patient_id", &theirs.patient, NOTHING, |id| ListAppointmentsRequest {
            patient_id: id,
            ..Default::default()
        }),
        case(list, "practitioner_id", &theirs.practitioner, NOTHING, |id| ListAppointmentsRequest {
            practitioner_id: id,
            ..Default::default()
        }),
    ]
}

fn webhook_cases(theirs: &Records) -> Vec<Case> {
    let (endpoint, event) = ("WEBHOOK_ENDPOINT_NOT_FOUND", "WEBHOOK_EVENT_NOT_FOUND");
    vec![
        case(
            "WebhookService/CreateWebhookEndpoint",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |integration_id| CreateWebhookEndpointRequest {
                integration_id,
                provider: "booking".into(),
                ..Default::default()
            },
        ),
        case(
            "WebhookService/DisableWebhookEndpoint",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            endpoint,
            |id| DisableWebhookEndpointRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case(
            "WebhookService/RotateWebhookSecret",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            endpoint,
            |id| RotateWebhookSecretRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case(
            "WebhookService/RevealWebhookSecret",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            endpoint,
            |id| RevealWebhookSecretRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case(
            "WebhookService/ListWebhookEvents",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            NOTHING,
            |id| ListWebhookEventsRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case("WebhookService/ReplayWebhookEvent", "webhook_event_id", &theirs.webhook_event, event, |id| {
            ReplayWebhookEventRequest { webhook_event_id: id, ..Default::default() }
        }),
    ]
}

fn link_subject(person: Person) -> LinkSubjectRequest {
    LinkSubjectRequest {
        issuer: "https://id.example.com/".into(),
        subject: "max".into(),
        person: Some(person),
        ..Default::default()
    }
}

fn half_an_hour() -> prost_types::Duration {
    prost_types::Duration { seconds: 1800, nanos: 0 }
}
