//! Error -> `google.rpc.Status` and HTTP status, side by side: the one mapping, for both edges.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    error::{Error, Noun, Refusal},
    proto::ErrorReason,
    telemetry,
};

/// The domain of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "stellwerk";

/// How an error is told to the outside.
pub struct Told {
    pub code: Code,
    pub http: StatusCode,
    pub reason: ErrorReason,
}

impl Error {
    /// gRPC code, HTTP status and reason; no `_` arm, so that a new error is a decision here.
    pub fn told(&self) -> Told {
        let (code, http, reason) = match self {
            Self::Invalid(_) => (Code::InvalidArgument, 400, ErrorReason::InvalidField),
            Self::PageTokenInvalid => (Code::InvalidArgument, 400, ErrorReason::PageTokenInvalid),
            Self::IdempotencyKeyReused => (Code::InvalidArgument, 400, ErrorReason::IdempotencyKeyReused),
            Self::Unauthenticated(refusal) => (Code::Unauthenticated, 401, refusal.reason()),
            Self::RoleNotAllowed(_) => (Code::PermissionDenied, 403, ErrorReason::RoleNotAllowed),
            Self::ScopeMissing(_) => (Code::PermissionDenied, 403, ErrorReason::ScopeMissing),
            Self::SubjectNotLinked => (Code::PermissionDenied, 403, ErrorReason::SubjectNotLinked),
            Self::NotOwnRecord => (Code::PermissionDenied, 403, ErrorReason::NotOwnRecord),
            Self::NotFound(noun) => (Code::NotFound, 404, noun.reason()),
            Self::SubjectAlreadyLinked => (Code::AlreadyExists, 409, ErrorReason::SubjectAlreadyLinked),
            Self::NameTaken { .. } => (Code::AlreadyExists, 409, ErrorReason::NameTaken),
            Self::SlotTaken | Self::SlotTakenOffering { .. } => {
                (Code::FailedPrecondition, 409, ErrorReason::SlotTaken)
            }
            Self::OutsideBookingWindow => (Code::FailedPrecondition, 409, ErrorReason::OutsideBookingWindow),
            Self::ProviderRefused { .. } => (Code::FailedPrecondition, 409, ErrorReason::ProviderRefused),
            Self::PatientContactMissing => {
                (Code::FailedPrecondition, 409, ErrorReason::PatientContactMissing)
            }
            Self::ServiceNotConnected => (Code::FailedPrecondition, 409, ErrorReason::ServiceNotConnected),
            Self::IntegrationState(_) => (Code::FailedPrecondition, 409, ErrorReason::IntegrationState),
            Self::CredentialRefused => (Code::FailedPrecondition, 409, ErrorReason::CredentialRefused),
            Self::ConsentMissing => (Code::FailedPrecondition, 409, ErrorReason::ConsentMissing),
            Self::WorkspaceNotSelected => (Code::FailedPrecondition, 409, ErrorReason::WorkspaceNotSelected),
            Self::WorkspaceInUse => (Code::FailedPrecondition, 409, ErrorReason::WorkspaceInUse),
            Self::FieldMappingMissing => (Code::FailedPrecondition, 409, ErrorReason::FieldMappingMissing),
            Self::InitialSyncMissing => (Code::FailedPrecondition, 409, ErrorReason::InitialSyncMissing),
            Self::AccountTaken => (Code::AlreadyExists, 409, ErrorReason::AccountTaken),
            Self::AuthorizationUsed => (Code::FailedPrecondition, 409, ErrorReason::AuthorizationUsed),
            Self::AuthorizationExpired => (Code::FailedPrecondition, 409, ErrorReason::AuthorizationExpired),
            Self::AuthorizationRefused { .. } => {
                (Code::FailedPrecondition, 409, ErrorReason::AuthorizationRefused)
            }
            Self::ScopesNotGranted(_) => (Code::FailedPrecondition, 409, ErrorReason::ScopesNotGranted),
            Self::OtherAccount => (Code::FailedPrecondition, 409, ErrorReason::OtherAccount),
            Self::AccountUnknown => (Code::FailedPrecondition, 409, ErrorReason::AccountUnknown),
            Self::OAuthNotConfigured { .. } => {
                (Code::FailedPrecondition, 409, ErrorReason::OauthNotConfigured)
            }
            Self::NotRefreshable => (Code::FailedPrecondition, 409, ErrorReason::CredentialNotRefreshable),
            Self::SyncRunning(_) => (Code::FailedPrecondition, 409, ErrorReason::SyncRunning),
            Self::ReviewItemResolved(_) => (Code::FailedPrecondition, 409, ErrorReason::ReviewItemResolved),
            Self::ResolutionNotPossible(_) => {
                (Code::FailedPrecondition, 409, ErrorReason::ResolutionNotPossible)
            }
            Self::ResumeTokenInvalid => (Code::InvalidArgument, 400, ErrorReason::ResumeTokenInvalid),
            Self::ProviderUnavailable(_) => (Code::Unavailable, 503, ErrorReason::ProviderUnavailable),
            Self::HoldExpired(_) => (Code::FailedPrecondition, 409, ErrorReason::HoldExpired),
            Self::AppointmentStatus(_) => (Code::FailedPrecondition, 409, ErrorReason::AppointmentStatus),
            Self::BookingUrlNotConfigured => {
                (Code::FailedPrecondition, 409, ErrorReason::BookingUrlNotConfigured)
            }
            Self::PatientMerged(_) => (Code::FailedPrecondition, 409, ErrorReason::PatientMerged),
            Self::CandidateDecided(_) => (Code::FailedPrecondition, 409, ErrorReason::LinkCandidateDecided),
            Self::ImportState(_) => (Code::FailedPrecondition, 409, ErrorReason::PatientImportState),
            Self::ImportOffset(_) => (Code::FailedPrecondition, 409, ErrorReason::PatientImportOffset),
            Self::EndpointDisabled => (Code::FailedPrecondition, 409, ErrorReason::WebhookEndpointDisabled),
            Self::SecretNotToBeShown => {
                (Code::FailedPrecondition, 409, ErrorReason::WebhookSecretNotToBeShown)
            }
            Self::BodyGone => (Code::FailedPrecondition, 409, ErrorReason::WebhookBodyGone),
            Self::PhaseNotPresent(_) => (Code::FailedPrecondition, 409, ErrorReason::PhaseNotPresent),
            Self::PhaseFieldNotWritable(_) => {
                (Code::FailedPrecondition, 409, ErrorReason::PhaseFieldNotWritable)
            }
            Self::IntegrationReadOnly => (Code::FailedPrecondition, 409, ErrorReason::IntegrationReadOnly),
            Self::PhaseConflictReverted => {
                (Code::FailedPrecondition, 409, ErrorReason::PhaseConflictReverted)
            }
            Self::PhaseConflictOutdated => {
                (Code::FailedPrecondition, 409, ErrorReason::PhaseConflictOutdated)
            }
            Self::RateLimited(_) => (Code::ResourceExhausted, 429, ErrorReason::RateLimited),
            Self::LimitReached(_) => (Code::ResourceExhausted, 429, ErrorReason::LimitReached),
            Self::Unavailable(_) => (Code::Unavailable, 503, ErrorReason::DatabaseUnavailable),
            Self::CommitUnknown(_) => (Code::Unavailable, 503, ErrorReason::CommitUnknown),
            Self::IssuerUnavailable => (Code::Unavailable, 503, ErrorReason::IssuerUnavailable),
            Self::Overloaded => (Code::Unavailable, 503, ErrorReason::Overloaded),
            Self::Deadline => (Code::DeadlineExceeded, 504, ErrorReason::DeadlineExceeded),
            Self::Internal(_) => (Code::Internal, 500, ErrorReason::Internal),
        };
        Told { code, http: StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reason }
    }

    /// How long to wait before trying again, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) | Self::ProviderUnavailable(wait) => Some(*wait),
            Self::Unavailable(_) | Self::CommitUnknown(_) | Self::IssuerUnavailable | Self::Overloaded => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// Logs what a caller must not see, once, where the error leaves the house.
    pub fn log(&self) {
        match self {
            Self::Internal(_) => telemetry::log_error("a call failed", self),
            Self::Unavailable(_) | Self::CommitUnknown(_) => {
                telemetry::log_error("the database cannot be reached", self);
            }
            _ => {}
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        if let Self::ProviderRefused { provider, reason } | Self::AuthorizationRefused { provider, reason } =
            self
        {
            return [("provider", *provider), ("provider_reason", *reason)]
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .into();
        }
        let entry = match self {
            Self::RoleNotAllowed(role) => Some(("role", role.to_string())),
            Self::ScopeMissing(scope) => Some(("scope", scope.clone())),
            Self::NameTaken { field } => Some(("field", field.clone())),
            Self::HoldExpired(hold) => Some(("appointment_id", hold.to_string())),
            Self::AppointmentStatus(status) => Some(("status", status.to_string())),
            Self::PatientMerged(into) => Some(("merged_into_patient_id", into.to_string())),
            Self::CandidateDecided(state) => Some(("state", state.to_string())),
            Self::ImportState(state) => Some(("state", state.to_string())),
            Self::ImportOffset(offset) => Some(("expected_offset", offset.to_string())),
            Self::SlotTakenOffering { free } => Some(("free_start_times", times(free))),
            Self::IntegrationState(state) => Some(("state", state.to_string())),
            Self::SyncRunning(id) => Some(("sync_log_id", id.to_string())),
            Self::ReviewItemResolved(resolution) => Some(("resolution", resolution.to_string())),
            Self::ResolutionNotPossible(kind) => Some(("kind", kind.to_string())),
            Self::PhaseNotPresent(presence) => Some(("presence", presence.to_string())),
            Self::PhaseFieldNotWritable(field) => Some(("field", field.to_string())),
            Self::LimitReached(limit) => Some(("limit", (*limit).to_string())),
            Self::ScopesNotGranted(scopes) => Some(("scopes", scopes.join(" "))),
            Self::OAuthNotConfigured { provider } => Some(("provider", (*provider).to_string())),
            _ => None,
        };
        entry.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
    }
}

fn times(times: &[DateTime<Utc>]) -> String {
    let texts: Vec<_> = times.iter().map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).collect();
    texts.join(",")
}

/// The reason without its prefix, as `ErrorInfo` and HTTP bodies carry it.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.log();
        let told = error.told();
        let mut details = ErrorDetails::with_error_info(reason_name(told.reason), DOMAIN, error.metadata());
        if let Error::Invalid(violations) = &error {
            for violation in violations {
                details.add_bad_request_violation(&violation.field, &violation.description);
            }
        }
        if let Some(wait) = error.retry_after() {
            details.set_retry_info(Some(wait));
        }
        Status::with_error_details(told.code, error.to_string(), details)
    }
}

impl Noun {
    fn reason(self) -> ErrorReason {
        match self {
            Self::Tenant => ErrorReason::TenantNotFound,
            Self::Patient => ErrorReason::PatientNotFound,
            Self::Appointment => ErrorReason::AppointmentNotFound,
            Self::Practitioner => ErrorReason::PractitionerNotFound,
            Self::Service => ErrorReason::ServiceNotFound,
            Self::WebhookEndpoint => ErrorReason::WebhookEndpointNotFound,
            Self::WebhookEvent => ErrorReason::WebhookEventNotFound,
            Self::LinkCandidate => ErrorReason::LinkCandidateNotFound,
            Self::PatientLink => ErrorReason::PatientLinkNotFound,
            Self::PatientImport => ErrorReason::PatientImportNotFound,
            Self::SubjectLink => ErrorReason::SubjectLinkNotFound,
            Self::ApiKey => ErrorReason::ApiKeyNotFound,
            Self::Integration => ErrorReason::IntegrationNotFound,
            Self::Provider => ErrorReason::ProviderNotFound,
            Self::SyncLog => ErrorReason::SyncLogNotFound,
            Self::ReviewItem => ErrorReason::ReviewItemNotFound,
            Self::DeadLetter => ErrorReason::DeadLetterNotFound,
            Self::Consent => ErrorReason::ConsentNotFound,
            Self::Workspace => ErrorReason::WorkspaceNotFound,
            Self::PlanningSettings => ErrorReason::PlanningSettingsNotFound,
            Self::Project => ErrorReason::ProjectNotFound,
            Self::Phase => ErrorReason::PhaseNotFound,
            Self::PhaseConflict => ErrorReason::PhaseConflictNotFound,
            Self::ExternalUser => ErrorReason::ExternalUserNotFound,
            Self::AlertDestination => ErrorReason::AlertDestinationNotFound,
            Self::Authorization => ErrorReason::AuthorizationNotFound,
        }
    }
}

impl Refusal {
    fn reason(self) -> ErrorReason {
        match self {
            Self::CredentialMissing => ErrorReason::CredentialMissing,
            Self::CredentialMalformed => ErrorReason::CredentialMalformed,
            Self::ApiKeyUnknown => ErrorReason::ApiKeyUnknown,
            Self::ApiKeyExpired => ErrorReason::ApiKeyExpired,
            Self::ApiKeyRevoked => ErrorReason::ApiKeyRevoked,
            Self::TokenAlgorithmNotAllowed => ErrorReason::TokenAlgorithmNotAllowed,
            Self::TokenIssuerUnknown => ErrorReason::TokenIssuerUnknown,
            Self::TokenKeyUnknown => ErrorReason::TokenKeyUnknown,
            Self::TokenSignatureInvalid => ErrorReason::TokenSignatureInvalid,
            Self::TokenAudienceWrong => ErrorReason::TokenAudienceWrong,
            Self::TokenExpired => ErrorReason::TokenExpired,
            Self::TokenNotYetValid => ErrorReason::TokenNotYetValid,
            Self::TokenTenantNotAllowed => ErrorReason::TokenTenantNotAllowed,
            Self::TokenClaimInvalid => ErrorReason::TokenClaimInvalid,
        }
    }
}
