//! What a database error means to a caller: by the constraint's name where there is one,
//! never by searching message text.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::{Error, Noun, Source};

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, info) = &error else {
            return match error {
                DieselError::BrokenTransactionManager => Self::Unavailable(error.into()),
                other => Self::internal(other),
            };
        };
        match (kind, info.constraint_name()) {
            (DatabaseErrorKind::ExclusionViolation, Some("appointment_slot_is_free")) => Self::SlotTaken,
            (DatabaseErrorKind::UniqueViolation, Some("practitioner_name_pkey" | "service_name_pkey")) => {
                Self::NameTaken { field: "name".into() }
            }
            (DatabaseErrorKind::UniqueViolation, Some("subject_link_subject_is_unique")) => {
                Self::SubjectAlreadyLinked
            }
            (
                DatabaseErrorKind::ExclusionViolation | DatabaseErrorKind::UniqueViolation,
                Some("integration_account_belongs_to_one_tenant" | "integration_of_an_account_is_one"),
            ) => Self::AccountTaken,
            (DatabaseErrorKind::ForeignKeyViolation, Some(name)) => match name {
                "patient_practitioner"
                | "appointment_practitioner"
                | "subject_link_practitioner"
                | "tenant_default_practitioner" => Self::NotFound(Noun::Practitioner),
                "appointment_service" => Self::NotFound(Noun::Service),
                "appointment_patient" | "subject_link_patient" => Self::NotFound(Noun::Patient),
                "patient_import_integration" | "webhook_endpoint_integration" => {
                    Self::NotFound(Noun::Integration)
                }
                _ => Self::internal(error),
            },
            (DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _) => {
                Self::Unavailable(error.into())
            }
            (DatabaseErrorKind::ReadOnlyTransaction, _) => Self::Unavailable(error.into()),
            // Diesel knows no kind for these and does not show the SQLSTATE; the texts are PostgreSQL's own
            // for 57P01, 25P03, 57P02, 57P03, 53300, 55P03 and 57014 in English, which `migrate::check`
            // insists on.
            (DatabaseErrorKind::Unknown, _) if MOMENTARY.contains(&info.message()) => {
                Self::Unavailable(error.into())
            }
            // 22021: text cannot hold NUL, and no name of anybody or anything does.
            (DatabaseErrorKind::Unknown, _)
                if info.message() == "invalid byte sequence for encoding \"UTF8\": 0x00" =>
            {
                Self::invalid("", "texts must not contain NUL characters")
            }
            _ => Self::internal(error),
        }
    }
}

const MOMENTARY: [&str; 10] = [
    "terminating connection due to administrator command",
    "terminating connection due to idle-in-transaction timeout",
    "terminating connection because of crash of another server process",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "sorry, too many clients already",
    "canceling statement due to lock timeout",
    "canceling statement due to statement timeout",
];

/// What a transaction began with was changed by another one before it was locked.
#[derive(Debug, thiserror::Error)]
#[error("overtaken by another transaction")]
pub(super) struct Overtaken;

/// Whether a transaction ended for another's sake: PostgreSQL ended it to resolve a deadlock (40P01) or a
/// serialization failure (40001), or it was [`Overtaken`].
pub(super) fn is_giving_way(source: &Source) -> bool {
    match source.downcast_ref::<DieselError>() {
        Some(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
        Some(DieselError::DatabaseError(_, info)) => info.message() == "deadlock detected",
        _ => source.is::<Overtaken>(),
    }
}
