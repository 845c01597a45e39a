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
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? })*) => {$(
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
        Calcom = "calcom", BookingTool = "booking_tool", Retell = "retell", Admin = "admin", Api = "api", System = "system",
    }
    /// Where an appointment stands.
    AppointmentStatus {
        Held = "held", Requested = "requested", Booked = "booked", Cancelled = "cancelled", Completed = "completed",
        NoShow = "no_show", Conflicting = "conflicting",
    }
    /// What happened to an appointment.
    ChangeKind { Created = "created", Moved = "moved", Status = "status", Details = "details", Patient = "patient" }
    /// How a booking tool's record found its person.
    LinkOrigin { Created = "created", Email = "email", Merge = "merge", Unlink = "unlink", Import = "import" }
    /// What became of a link candidate.
    CandidateState { Open = "open", Merged = "merged", KeptApart = "kept_apart", Undone = "undone" }
    /// What is happening to an import.
    ImportState { Uploading = "uploading", Running = "running", Succeeded = "succeeded", Failed = "failed" }
    /// What became of a row of an import.
    ImportOutcome { Created = "created", Matched = "matched", Candidate = "candidate", Refused = "refused" }
    /// How deliveries to an endpoint are signed.
    SignatureScheme { Legacy = "legacy", Standard = "standard" }
    /// What became of a delivery.
    EventStatus {
        Success = "success", Error = "error", Duplicate = "duplicate", Ignored = "ignored", Quarantined = "quarantined",
    }
    /// Why an event was recorded.
    EventCause { Delivery = "delivery", Retry = "retry", Replay = "replay" }
    /// What a message asks for.
    MessageKind { WebhookEventRetry = "webhook_event_retry", PatientImport = "patient_import" }
}
