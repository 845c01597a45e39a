//! Every way an operation can fail, in the caller's words.
//! No transport in it: `status` maps it to gRPC and HTTP, once.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

use crate::ids::{AppointmentId, PatientId, SyncLogId};
use crate::words::{
    AppointmentStatus, CandidateState, ImportState, IntegrationState, PhaseField, Presence, Resolution,
    ReviewKind, Role,
};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `Display` is fit for a tenant and never repeats its source; the source rides along for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", DisplayViolations(.0))]
    Invalid(Vec<Violation>),
    #[error("the page token does not belong to this list; start at the first page")]
    PageTokenInvalid,
    #[error("the idempotency key was already used for another request")]
    IdempotencyKeyReused,
    #[error("{0}")]
    Unauthenticated(Refusal),
    #[error("the role {0} may not do this")]
    RoleNotAllowed(Role),
    #[error("the API key lacks the scope {0}")]
    ScopeMissing(String),
    #[error("nobody has linked this subject to a person yet; an admin does that with LinkSubject")]
    SubjectNotLinked,
    #[error("the change reaches beyond your own records")]
    NotOwnRecord,
    #[error("no such {0}")]
    NotFound(Noun),
    #[error("the subject is linked already; unlink it first")]
    SubjectAlreadyLinked,
    #[error("another one has this name or alias")]
    NameTaken { field: String },
    #[error("somebody else has this slot")]
    SlotTaken,
    #[error("somebody else has this slot; others are free")]
    SlotTakenOffering { free: Vec<DateTime<Utc>> },
    #[error("the provider takes no bookings for that time")]
    OutsideBookingWindow,
    #[error("the provider refused: {reason}")]
    ProviderRefused { provider: &'static str, reason: &'static str },
    #[error("the provider needs an e-mail address or a phone number of the patient")]
    PatientContactMissing,
    #[error("no provider with opening hours is connected for this service of this practitioner")]
    ServiceNotConnected,
    #[error("an integration that is {0} does not allow this")]
    IntegrationState(IntegrationState),
    #[error("the provider did not accept the credential")]
    CredentialRefused,
    #[error("no consent that lives lets data flow to this provider; an admin gives it with GrantConsent")]
    ConsentMissing,
    #[error("no workspace is chosen; choose it with SelectWorkspace")]
    WorkspaceNotSelected,
    #[error(
        "something was read of another workspace; connect another integration for this one, by StartAuthorization \
         with `another`"
    )]
    WorkspaceInUse,
    #[error("no custom field is the area; say which one is with SaveFieldMapping")]
    FieldMappingMissing,
    #[error("not everything was read yet; begin it with StartInitialSync")]
    InitialSyncMissing,
    #[error("another integration has this account or its event types")]
    AccountTaken,
    #[error("this authorization was used already; start another one")]
    AuthorizationUsed,
    #[error("the time for this authorization ran out; start another one")]
    AuthorizationExpired,
    #[error("the provider gave no token: {reason}")]
    AuthorizationRefused { provider: &'static str, reason: &'static str },
    #[error("the provider did not grant everything that is needed: {}", .0.join(" "))]
    ScopesNotGranted(Vec<String>),
    #[error("this is another account than the integration's; connect it on its own")]
    OtherAccount,
    #[error("the provider did not say, or not clearly, whose account this is")]
    AccountUnknown,
    #[error(
        "no client of {provider} is registered here; an operator sets it up, or an admin with PutOAuthClient"
    )]
    OAuthNotConfigured { provider: &'static str },
    #[error("this credential cannot be refreshed; connect again")]
    NotRefreshable,
    #[error("a run of this integration is under way")]
    SyncRunning(SyncLogId),
    #[error("the review item was resolved already: {0}")]
    ReviewItemResolved(Resolution),
    #[error("an item of the kind {0} cannot be resolved like that")]
    ResolutionNotPossible(ReviewKind),
    #[error("the resume token does not belong to this stream; watch without one")]
    ResumeTokenInvalid,
    #[error("the provider cannot be reached at the moment; come back in {} s", .0.as_secs())]
    ProviderUnavailable(Duration),
    #[error("the hold ran out; hold the slot again")]
    HoldExpired(AppointmentId),
    #[error("an appointment that is {0} does not allow this")]
    AppointmentStatus(AppointmentStatus),
    #[error("no booking URL is configured; set it with UpdateTenantSettings")]
    BookingUrlNotConfigured,
    #[error(
        "the person was merged into another one; ask it of that one, or undo the merge with UnlinkPatient"
    )]
    PatientMerged(PatientId),
    #[error("the candidate was decided already: {0}")]
    CandidateDecided(CandidateState),
    #[error("the import is {0}")]
    ImportState(ImportState),
    #[error("bytes are missing before this chunk; go on at offset {0}")]
    ImportOffset(i64),
    #[error("the endpoint is disabled")]
    EndpointDisabled,
    #[error("there is no secret of the provider's that nobody has seen")]
    SecretNotToBeShown,
    #[error("the event's body is gone, so it cannot be replayed")]
    BodyGone,
    #[error("the planning tool does not have the phase any more: it is {0}")]
    PhaseNotPresent(Presence),
    #[error("the planning tool cannot hold the {0} of this phase")]
    PhaseFieldNotWritable(PhaseField),
    #[error("nothing is ever written to this integration's provider")]
    IntegrationReadOnly,
    #[error("the conflict was reverted already")]
    PhaseConflictReverted,
    #[error("the field was changed since, or the value does not fit the other date any more")]
    PhaseConflictOutdated,
    #[error("too many requests; come back in {} s", .0.as_secs())]
    RateLimited(Duration),
    #[error("the limit is reached: {0}")]
    LimitReached(&'static str),
    #[error("the database cannot be reached at the moment; nothing was changed")]
    Unavailable(#[source] Source),
    #[error(
        "the database went away while this was being kept, and may have kept it; repeat the call with the same \
         idempotency key"
    )]
    CommitUnknown(#[source] Source),
    #[error("the keys of the token's issuer cannot be read at the moment; nothing was changed")]
    IssuerUnavailable,
    #[error("the server is full at the moment; nothing was changed")]
    Overloaded,
    #[error("the server's time limit for this call ran out; repeat it with the same idempotency key")]
    Deadline,
    #[error("something went wrong here; it has been logged")]
    Internal(#[source] Source),
}

/// What lies behind an error; for the log alone.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's path, as in `start_time`.
    pub field: String,
    /// What would fit; never repeats the value.
    pub description: String,
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Tenant,
    Patient,
    Appointment,
    Practitioner,
    Service,
    WebhookEndpoint,
    WebhookEvent,
    LinkCandidate,
    PatientLink,
    PatientImport,
    SubjectLink,
    ApiKey,
    Integration,
    Provider,
    ReviewItem,
    AlertDestination,
    SyncLog,
    DeadLetter,
    Authorization,
    Consent,
    Workspace,
    PlanningSettings,
    Project,
    Phase,
    PhaseConflict,
    ExternalUser,
}

/// Why a credential was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("send an API key or a JWT as `authorization: Bearer …`")]
    CredentialMissing,
    #[error("the bearer is neither an API key nor a JWT")]
    CredentialMalformed,
    #[error("no such API key")]
    ApiKeyUnknown,
    #[error("the API key has expired")]
    ApiKeyExpired,
    #[error("the API key was revoked")]
    ApiKeyRevoked,
    #[error("the token's algorithm is not allowed")]
    TokenAlgorithmNotAllowed,
    #[error("the token's issuer is not configured here")]
    TokenIssuerUnknown,
    #[error("the issuer publishes no such key")]
    TokenKeyUnknown,
    #[error("the token's signature is wrong")]
    TokenSignatureInvalid,
    #[error("the token is for another audience")]
    TokenAudienceWrong,
    #[error("the token has expired or says no expiry")]
    TokenExpired,
    #[error("the token is not valid yet")]
    TokenNotYetValid,
    #[error("the issuer may not speak for this tenant")]
    TokenTenantNotAllowed,
    #[error("the token names no subject, or no role that a token can give")]
    TokenClaimInvalid,
}

impl Error {
    /// One field that does not fit.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { field: field.into(), description: description.into() }])
    }

    /// Whether it is over by itself and says nothing about what was asked for.
    pub fn is_momentary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::CommitUnknown(_) | Self::Overloaded)
    }

    /// A defect: what should not have happened.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Patient => "patient",
            Self::Appointment => "appointment",
            Self::Practitioner => "practitioner",
            Self::Service => "service",
            Self::WebhookEndpoint => "webhook endpoint",
            Self::WebhookEvent => "webhook event",
            Self::LinkCandidate => "link candidate",
            Self::PatientLink => "patient link",
            Self::PatientImport => "patient import",
            Self::SubjectLink => "subject link",
            Self::ApiKey => "API key",
            Self::Integration => "integration",
            Self::Provider => "provider",
            Self::AlertDestination => "alert destination",
            Self::ReviewItem => "review item",
            Self::SyncLog => "sync log",
            Self::DeadLetter => "dead letter",
            Self::Authorization => "authorization of yours",
            Self::Consent => "consent",
            Self::Workspace => "workspace",
            Self::PlanningSettings => "planning settings",
            Self::Project => "project",
            Self::Phase => "phase",
            Self::PhaseConflict => "phase conflict",
            Self::ExternalUser => "external user",
        })
    }
}

struct DisplayViolations<'a>(&'a [Violation]);

impl fmt::Display for DisplayViolations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}
