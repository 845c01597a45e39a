//! The closed sets of words that rows keep as text. The database checks the same lists by its constraints.

use std::{fmt, str::FromStr};

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types,
};

macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = sql_types::Text)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every word of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as rows keep it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownWord(stringify!($name))) }
            }
        }

        impl ToSql<sql_types::Text, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <str as ToSql<sql_types::Text, Pg>>::to_sql(self.as_str(), out)
            }
        }

        impl FromSql<sql_types::Text, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(std::str::from_utf8(value.as_bytes())?.parse()?)
            }
        }
    )*};
}

/// A text that is none of the words it should be.
#[derive(Debug, thiserror::Error)]
#[error("unknown {0}")]
pub struct UnknownWord(&'static str);

words! {
    /// What a caller is to its tenant.
    Role {
        Operator = "operator", Admin = "admin", Hr = "hr", Practitioner = "practitioner", Patient = "patient",
        Service = "service",
        /// The server itself; no credential gives it.
        System = "system",
    }
    /// Where a change came from.
    Origin {
        Calcom = "calcom", BookingTool = "booking_tool", Retell = "retell", Admin = "admin", Api = "api",
        System = "system", Asana = "asana",
    }
    /// Where an appointment stands.
    AppointmentStatus {
        Held = "held", Requested = "requested", Booked = "booked", Cancelled = "cancelled",
        Completed = "completed", NoShow = "no_show", Conflicting = "conflicting",
    }
    /// What happened to an appointment.
    ChangeKind {
        Created = "created", Moved = "moved", Status = "status", Details = "details", Patient = "patient",
        /// What the provider did with it, nothing else.
        Sync = "sync",
    }
    /// How a booking tool's record found its person.
    LinkOrigin { Created = "created", Email = "email", Merge = "merge", Unlink = "unlink", Import = "import" }
    /// What became of a link candidate.
    CandidateState { Open = "open", Merged = "merged", KeptApart = "kept_apart", Undone = "undone" }
    /// What is happening to an import.
    ImportState { Uploading = "uploading", Running = "running", Succeeded = "succeeded", Failed = "failed" }
    /// What became of a row of an import.
    ImportOutcome { Created = "created", Matched = "matched", Candidate = "candidate", Refused = "refused" }
    /// How deliveries to an endpoint are signed.
    SignatureScheme {
        Legacy = "legacy", Standard = "standard", Calcom = "calcom", Asana = "asana", Bamboohr = "bamboohr",
        Dropbox = "dropbox", Github = "github", GitlabToken = "gitlab_token",
        GoogleChannel = "google_channel", GooglePush = "google_push", Jira = "jira",
        JiraClient = "jira_client", Microsoft365 = "microsoft365",
        Microsoft365Data = "microsoft365_data", Notion = "notion", Slack = "slack", Trello = "trello",
        Zendesk = "zendesk",
    }
    /// What became of a delivery.
    EventStatus {
        Success = "success", Error = "error", Duplicate = "duplicate", Ignored = "ignored",
        Quarantined = "quarantined",
    }
    /// Why an event was recorded.
    EventCause { Delivery = "delivery", Retry = "retry", Replay = "replay" }
    /// What a message asks for.
    MessageKind {
        WebhookEventRetry = "webhook_event_retry",
        PatientImport = "patient_import",
        /// Make the provider's booking what the appointment is.
        AppointmentPush = "appointment_push",
        /// Read one booking at the provider and make the appointment what it is.
        BookingRefresh = "booking_refresh",
        /// A run that a person or a schedule asked for; has a sync log.
        SyncRun = "sync_run",
        /// Read what changed at the provider since the last time.
        Reconcile = "reconcile",
        /// Make the provider's webhooks what they should be.
        SubscriptionCheck = "subscription_check",
        Disconnect = "disconnect",
        AlertDelivery = "alert_delivery",
        /// Ask for another access token well before the refresh token is forgotten.
        CredentialRefresh = "credential_refresh",
        /// Read at the planning tool what was told to have changed.
        PlanningRefresh = "planning_refresh",
        /// Make the planning tool's task what the phase is.
        PhasePush = "phase_push",
    }
    /// How a link with a provider stands.
    IntegrationState {
        Connected = "connected", NeedsReconnect = "needs_reconnect", Disconnecting = "disconnecting",
        Disconnected = "disconnected",
    }
    /// What opens a provider's API.
    CredentialKind {
        ApiKey = "api_key",
        /// An access token, and what another one is asked for with.
        OAuth2 = "oauth2",
    }
    /// What happened to a credential.
    CredentialEvent {
        Given = "given",
        /// By another one of the same account.
        Replaced = "replaced",
        Refreshed = "refreshed",
        /// The provider no longer takes it.
        Refused = "refused",
        /// We told the provider that it is over.
        Revoked = "revoked",
        Destroyed = "destroyed",
    }
    /// How far somebody came on the way through a provider's consent page.
    AuthorizationState {
        Started = "started",
        /// The browser came back with a code.
        Returned = "returned",
        /// The code is being exchanged.
        Exchanging = "exchanging",
        Completed = "completed", Failed = "failed",
    }
    /// Whether a provider is asked at all.
    Breaker { Closed = "closed", Open = "open", HalfOpen = "half_open" }
    /// How a provider's record stands, as last known.
    BookingStatus {
        /// Only its id is known, from a successor that came first.
        Unknown = "unknown",
        Pending = "pending", Accepted = "accepted",
        /// Retired: its successor lives on.
        Rescheduled = "rescheduled",
        Cancelled = "cancelled", Rejected = "rejected",
    }
    /// How a webhook of ours at a provider stands.
    SubscriptionState {
        Pending = "pending", Active = "active", Failed = "failed", Removing = "removing", Removed = "removed",
    }
    /// Whether the provider has what stands here.
    ProviderSync {
        None = "none", Pending = "pending", Synced = "synced", Failed = "failed", Review = "review",
    }
    /// What a write to a provider does.
    IntentKind { Create = "create", Reschedule = "reschedule", Cancel = "cancel" }
    /// What became of such a write.
    IntentState {
        Recorded = "recorded",
        /// On its way.
        Sent = "sent",
        /// Nobody knows whether it arrived: it must be looked up before anything else.
        Unknown = "unknown",
        Done = "done", Refused = "refused",
        /// No longer wanted before it was sent.
        Superseded = "superseded",
    }
    /// What began a run.
    SyncKind {
        Full = "full", Incremental = "incremental", Manual = "manual", Scheduled = "scheduled",
        Webhook = "webhook",
    }
    /// How a run stands.
    SyncState {
        Queued = "queued", Running = "running", Succeeded = "succeeded",
        /// Done, with errors.
        Partial = "partial",
        Failed = "failed", Cancelled = "cancelled",
    }
    /// What a person must decide about.
    ReviewKind {
        /// A write's tries are used up, or the provider refused it.
        RequiresManualReview = "requires_manual_review",
        /// Promised elsewhere for a time that was taken here.
        Conflict = "conflict",
        EditedOnBothSides = "edited_on_both_sides",
        /// Belongs to no service or practitioner here.
        Unmatched = "unmatched",
        DeletionsOverGuard = "deletions_over_guard",
    }
    /// Whether a review item waits.
    ReviewState { Open = "open", Resolved = "resolved" }
    /// How a review item ended.
    Resolution {
        Retry = "retry", AcceptTheirs = "accept_theirs", AcceptOurs = "accept_ours", Dismiss = "dismiss",
        /// It went away by itself.
        Settled = "settled",
    }
    /// What a consent lets flow.
    ConsentScope {
        Appointments = "appointments",
        /// Projects and phases.
        Planning = "planning",
        Absences = "absences", TimeEntries = "time_entries",
    }
    /// What is watched.
    AlertRule {
        /// Runs, writes and messages that failed within an hour.
        Failures = "failures",
        /// The share of writes and runs that succeeded within a day.
        SyncSuccess = "sync_success",
        ReviewQueue = "review_queue", OutboxDepth = "outbox_depth",
        /// The age of what was last read at a provider.
        Freshness = "freshness",
        /// Authentic deliveries within an hour that name what is not the tenant's, or mean nothing that is
        /// known.
        Quarantine = "quarantine",
    }
    /// How an alert stands.
    AlertState {
        /// Seen, but not often enough in a row to tell anybody.
        Pending = "pending",
        Firing = "firing", Ended = "ended",
    }
    /// How alerts are delivered.
    AlertDestinationKind { Webhook = "webhook", Slack = "slack" }
    /// What a phase is part of.
    Area { Production = "production", Assembly = "assembly" }
    /// Where absences are read.
    AbsenceSource {
        None = "none",
        /// The tool's own entries, person by person.
        OutOfOffice = "out_of_office",
        /// A project with a task for each absence.
        Project = "project",
    }
    /// What a planning tool's workspace pays for; it decides how often the tool may be asked.
    Plan { Free = "free", Paid = "paid" }
    /// Whether a planning tool's record is still there.
    Presence {
        Present = "present",
        /// The last full listing did not have it; the next one decides.
        Missing = "missing",
        /// It exists, but not for us: not shared any more, or moved to where nothing is read.
        Detached = "detached",
        /// Deleted, as the provider said or as two full listings agree.
        Gone = "gone",
    }
    /// A field of a phase that both sides can change.
    PhaseField {
        StartDate = "start_date", DueDate = "due_date", PlannedHours = "planned_hours", Area = "area",
    }
    /// What happened to a phase.
    PhaseChangeKind {
        Created = "created",
        /// Dates, hours or area.
        Fields = "fields",
        Presence = "presence",
        /// What the provider did with it, nothing else.
        Sync = "sync",
    }
    /// One of the two that a field is shared by.
    Side { Ours = "ours", Theirs = "theirs" }
    /// Why one side prevailed.
    ConflictReason {
        /// It had changed the field later.
        Newer = "newer",
        /// Nobody can tell who was later, so the provider's value stands.
        SameTime = "same_time",
    }
    /// What Cal.com refused, as reasons of rows and answers have it; see `provider::calcom::Refusal`.
    RefusalCode {
        SlotTaken = "SLOT_TAKEN", RaceLost = "RACE_LOST", OutsideBookingWindow = "OUTSIDE_BOOKING_WINDOW",
        AttendeeLimit = "ATTENDEE_LIMIT", NoSeats = "NO_SEATS", AlreadyCancelled = "ALREADY_CANCELLED",
        AlreadyRescheduled = "ALREADY_RESCHEDULED", AlreadyEnded = "ALREADY_ENDED",
        ChangeDisabled = "CHANGE_DISABLED", ReasonRequired = "REASON_REQUIRED", NotFound = "NOT_FOUND",
        NotAllowed = "NOT_ALLOWED", EmailVerification = "EMAIL_VERIFICATION",
        AttendeeBlocked = "ATTENDEE_BLOCKED", NoHosts = "NO_HOSTS",
        ReservationOverlap = "RESERVATION_OVERLAP", Duplicate = "DUPLICATE", Validation = "VALIDATION",
        /// Nobody knows why.
        Refused = "REFUSED",
    }
}
