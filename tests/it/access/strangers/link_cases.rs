//! The same for links with providers, and for what they leave behind.

use stellwerk::proto::*;

use super::{Case, NOTHING, Records, case, in_days};

pub(super) fn all(theirs: &Records, own: &Records) -> Vec<Case> {
    let mut cases = integration_cases(theirs);
    cases.extend(sync_log_cases(theirs));
    cases.extend(review_cases(theirs));
    cases.extend(alert_cases(theirs));
    cases.extend(watch_cases(theirs, own));
    cases
}

fn integration_cases(theirs: &Records) -> Vec<Case> {
    let (field, missing, id) = ("integration_id", "INTEGRATION_NOT_FOUND", &theirs.integration);
    vec![
        case("IntegrationService/GetIntegration", field, id, missing, |integration_id| {
            GetIntegrationRequest { integration_id }
        }),
        case("IntegrationService/UpdateIntegration", field, id, missing, |integration_id| {
            UpdateIntegrationRequest { integration_id, outbound_paused: true, ..Default::default() }
        }),
        case("IntegrationService/TestIntegration", field, id, missing, |integration_id| {
            TestIntegrationRequest { integration_id }
        }),
        case("IntegrationService/DisconnectIntegration", field, id, missing, |integration_id| {
            DisconnectIntegrationRequest { integration_id, ..Default::default() }
        }),
        case("IntegrationService/StartAuthorization", field, id, missing, |integration_id| {
            StartAuthorizationRequest {
                provider: "asana".into(),
                return_url: "https://desk.example.org/".into(),
                integration_id,
                ..Default::default()
            }
        }),
        case("IntegrationService/RefreshCredential", field, id, missing, |integration_id| {
            RefreshCredentialRequest { integration_id }
        }),
        case("IntegrationService/ListCredentialChanges", field, id, missing, |integration_id| {
            ListCredentialChangesRequest { integration_id, ..Default::default() }
        }),
        case("IntegrationService/GetIntegrationStatus", field, id, missing, |integration_id| {
            GetIntegrationStatusRequest { integration_id }
        }),
        case("IntegrationService/WatchIntegrationStatus", field, id, missing, |integration_id| {
            WatchIntegrationStatusRequest { integration_id, ..Default::default() }
        }),
    ]
}

fn sync_log_cases(theirs: &Records) -> Vec<Case> {
    let (field, missing, id) = ("sync_log_id", "SYNC_LOG_NOT_FOUND", &theirs.sync_log);
    vec![
        case("SyncLogService/GetSyncLog", field, id, missing, |sync_log_id| GetSyncLogRequest {
            sync_log_id,
        }),
        case("SyncLogService/WatchSyncLog", field, id, missing, |sync_log_id| WatchSyncLogRequest {
            sync_log_id,
            ..Default::default()
        }),
        case("SyncLogService/CancelSync", field, id, missing, |sync_log_id| CancelSyncRequest {
            sync_log_id,
            ..Default::default()
        }),
        case(
            "SyncLogService/StartSync",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |integration_id| StartSyncRequest { integration_id, ..Default::default() },
        ),
        case(
            "SyncLogService/ListSyncLogs",
            "integration_id",
            &theirs.integration,
            NOTHING,
            |integration_id| ListSyncLogsRequest { integration_id, ..Default::default() },
        ),
    ]
}

fn review_cases(theirs: &Records) -> Vec<Case> {
    let by_integration = |integration_id| DeadLetterFilter { integration_id, ..Default::default() };
    vec![
        case(
            "ReviewService/ResolveReviewItem",
            "review_item_id",
            &theirs.review_item,
            "REVIEW_ITEM_NOT_FOUND",
            |review_item_id| ResolveReviewItemRequest {
                review_item_id,
                resolution: Resolution::Dismiss.into(),
                ..Default::default()
            },
        ),
        case(
            "ReviewService/ListReviewItems",
            "integration_id",
            &theirs.integration,
            NOTHING,
            |integration_id| ListReviewItemsRequest { integration_id, ..Default::default() },
        ),
        case(
            "ReviewService/ListReviewItems",
            "appointment_id",
            &theirs.appointment,
            NOTHING,
            |appointment_id| ListReviewItemsRequest { appointment_id, ..Default::default() },
        ),
        case(
            "ReviewService/RequeueDeadLetters",
            "dead_letter_ids",
            &theirs.dead_letter,
            "DEAD_LETTER_NOT_FOUND",
            |id| RequeueDeadLettersRequest { dead_letter_ids: vec![id], ..Default::default() },
        ),
        case(
            "ReviewService/RequeueDeadLetters",
            "filter.integration_id",
            &theirs.integration,
            NOTHING,
            |id| RequeueDeadLettersRequest { filter: Some(by_integration(id)), ..Default::default() },
        ),
        case("ReviewService/ListDeadLetters", "filter.integration_id", &theirs.integration, NOTHING, |id| {
            ListDeadLettersRequest { filter: Some(by_integration(id)), ..Default::default() }
        }),
    ]
}

fn alert_cases(theirs: &Records) -> Vec<Case> {
    let (field, missing) = ("alert_destination_id", "ALERT_DESTINATION_NOT_FOUND");
    let id = &theirs.alert_destination;
    vec![
        case("AlertService/PutAlertDestination", field, id, missing, |alert_destination_id| {
            PutAlertDestinationRequest {
                alert_destination_id,
                kind: AlertDestinationKind::Webhook.into(),
                name: "Telefon".into(),
                url: "https://alerts.example.org/hook".into(),
                ..Default::default()
            }
        }),
        case("AlertService/DeleteAlertDestination", field, id, missing, |alert_destination_id| {
            DeleteAlertDestinationRequest { alert_destination_id, ..Default::default() }
        }),
        case("AlertService/TestAlertDestination", field, id, missing, |alert_destination_id| {
            TestAlertDestinationRequest { alert_destination_id }
        }),
        case("AlertService/ListAlerts", "integration_id", &theirs.integration, NOTHING, |integration_id| {
            ListAlertsRequest { integration_id, ..Default::default() }
        }),
    ]
}

fn watch_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let (slots, watch) = ("AppointmentService/ListFreeSlots", "AppointmentService/WatchAppointments");
    let practitioner = "PRACTITIONER_NOT_FOUND";
    let free = || ListFreeSlotsRequest {
        practitioner_id: own.practitioner.clone(),
        service_id: own.service.clone(),
        start_time_from: Some(in_days(9)),
        ..Default::default()
    };
    vec![
        case(slots, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            ListFreeSlotsRequest { practitioner_id, ..free() }
        }),
        case(slots, "service_id", &theirs.service, "SERVICE_NOT_FOUND", |service_id| ListFreeSlotsRequest {
            service_id,
            ..free()
        }),
        case(watch, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            WatchAppointmentsRequest { practitioner_id, ..Default::default() }
        }),
        case(watch, "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |patient_id| {
            WatchAppointmentsRequest { patient_id, ..Default::default() }
        }),
    ]
}
