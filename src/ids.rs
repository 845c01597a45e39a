//! Typed ids. Every id is a UUIDv7: time-ordered, and in the database only unique together with its tenant.

use std::{fmt, str::FromStr};

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types,
};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow,
            serde::Serialize, serde::Deserialize)]
        #[diesel(sql_type = sql_types::Uuid)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, greater than those made in earlier milliseconds.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl ToSql<sql_types::Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <Uuid as ToSql<sql_types::Uuid, Pg>>::to_sql(&self.0, out)
            }
        }

        impl FromSql<sql_types::Uuid, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                <Uuid as FromSql<sql_types::Uuid, Pg>>::from_sql(value).map(Self)
            }
        }
    )*};
}

ids! {
    /// Owns everything below it.
    TenantId;
    /// A caller's key.
    ApiKeyId;
    /// Which person a signed-in subject is.
    SubjectLinkId;
    /// Somebody whose time is booked.
    PractitionerId;
    /// Something that can be booked.
    ServiceId;
    /// A tenant's link with one provider.
    IntegrationId;
    /// A person who is treated here.
    PatientId;
    /// A booking tool's record of a person.
    PatientLinkId;
    /// Two people who may be one.
    LinkCandidateId;
    /// A CSV file of people on its way in.
    PatientImportId;
    /// A slot of a practitioner's time.
    AppointmentId;
    /// A booking tool's record of an appointment.
    AppointmentLinkId;
    /// One change of an appointment.
    AppointmentChangeId;
    /// An address that a provider posts to.
    WebhookEndpointId;
    /// A secret of such an address.
    WebhookSecretId;
    /// A verified delivery.
    WebhookEventId;
    /// Promised work.
    MessageId;
    /// What opens a provider's API.
    CredentialId;
    /// One change of it.
    CredentialChangeId;
    /// A tenant's own registration with a provider.
    OAuthClientId;
    /// One person's way through a provider's consent page.
    AuthorizationId;
    /// What a provider lets be booked.
    EventTypeId;
    /// A provider's record of an appointment.
    BookingId;
    /// A webhook of ours at a provider.
    SubscriptionId;
    /// A write to a provider.
    IntentId;
    /// The record of one run.
    SyncLogId;
    /// What a person must decide.
    ReviewItemId;
    /// Something that is, or was, wrong.
    AlertId;
    /// Where alerts go.
    AlertDestinationId;
    /// Somebody's leave for data to flow.
    ConsentId;
    /// A project of the planning tool.
    ProjectId;
    /// A phase of a project: a task of the planning tool.
    PhaseId;
    /// One change of a phase.
    PhaseChangeId;
    /// A field of a phase that both sides had changed.
    PhaseConflictId;
    /// A write of a phase to the planning tool.
    PhaseIntentId;
    /// Days on which somebody is away.
    AbsenceId;
    /// Time that somebody spent on a phase.
    TimeEntryId;
    /// A user of the planning tool.
    ExternalUserId;
}

impl TenantId {
    /// The tenant of the operators: it holds their API keys and nothing else.
    pub const HOUSE: Self = Self(Uuid::nil());
}
