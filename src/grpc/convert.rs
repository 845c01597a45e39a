//! Between wire types and the words, times and ids of the rooms below.

use std::fmt::Display;

use chrono::{DateTime, TimeDelta, Utc};
use prost_types::{Duration, Timestamp};

use crate::{
    error::{Error, Result},
    proto,
    words::{Origin, Role},
};

/// A time on the wire, to the microsecond that the database keeps.
pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    // Below 10^9, so it fits.
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: time.timestamp(), nanos }
}

/// A time that a request names. Errors: `Invalid` outside the years 1 to 9999, as the wire type has it.
pub(super) fn time(field: &str, time: Timestamp) -> Result<DateTime<Utc>> {
    use chrono::Datelike;
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    nanos
        .and_then(|nanos| DateTime::from_timestamp(time.seconds, nanos))
        .filter(|time| (1..=9999).contains(&time.year()))
        .ok_or_else(|| Error::invalid(field, "must be a time of the years 1 to 9999"))
}

/// A time that may be left out.
pub(super) fn optional_time(field: &str, wire: Option<Timestamp>) -> Result<Option<DateTime<Utc>>> {
    wire.map(|wire| time(field, wire)).transpose()
}

/// Whole seconds as a span.
pub(super) fn duration(seconds: i32) -> Duration {
    Duration { seconds: seconds.into(), nanos: 0 }
}

/// A span on the wire; what is negative by two clocks' difference is nothing.
pub(super) fn span(span: TimeDelta) -> Duration {
    let span = span.max(TimeDelta::zero());
    Duration { seconds: span.num_seconds(), nanos: span.subsec_nanos() }
}

/// A span in whole seconds. Errors: `Invalid` for parts of a second.
pub(super) fn seconds(field: &str, span: Duration) -> Result<i32> {
    match (i32::try_from(span.seconds), span.nanos) {
        (Ok(seconds), 0) => Ok(seconds),
        _ => Err(Error::invalid(field, "must be whole seconds")),
    }
}

/// An id on the wire; empty for none.
pub(super) fn text<T: Display>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A role that a request names. Errors: `Invalid` for none.
pub(super) fn role(field: &str, role: proto::Role) -> Result<Role> {
    Role::try_from(role).map_err(|_| Error::invalid(field, "is required"))
}

impl TryFrom<proto::Role> for Role {
    /// Unspecified.
    type Error = ();

    fn try_from(role: proto::Role) -> std::result::Result<Self, ()> {
        Ok(match role {
            proto::Role::Unspecified => return Err(()),
            proto::Role::Operator => Self::Operator,
            proto::Role::Admin => Self::Admin,
            proto::Role::Hr => Self::Hr,
            proto::Role::Practitioner => Self::Practitioner,
            proto::Role::Patient => Self::Patient,
            proto::Role::Service => Self::Service,
        })
    }
}

impl From<Role> for proto::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
            Role::Hr => Self::Hr,
            Role::Practitioner => Self::Practitioner,
            Role::Patient => Self::Patient,
            Role::Service => Self::Service,
            // No credential has it, so no answer shows it.
            Role::System => Self::Unspecified,
        }
    }
}

/// An origin that a request names; unspecified is none.
pub(super) fn origin(origin: proto::SyncOrigin) -> Option<Origin> {
    Some(match origin {
        proto::SyncOrigin::Unspecified => return None,
        proto::SyncOrigin::Calcom => Origin::Calcom,
        proto::SyncOrigin::BookingTool => Origin::BookingTool,
        proto::SyncOrigin::Retell => Origin::Retell,
        proto::SyncOrigin::Admin => Origin::Admin,
        proto::SyncOrigin::Api => Origin::Api,
        proto::SyncOrigin::System => Origin::System,
        proto::SyncOrigin::Asana => Origin::Asana,
    })
}

impl From<Origin> for proto::SyncOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Calcom => Self::Calcom,
            Origin::BookingTool => Self::BookingTool,
            Origin::Retell => Self::Retell,
            Origin::Admin => Self::Admin,
            Origin::Api => Self::Api,
            Origin::System => Self::System,
            Origin::Asana => Self::Asana,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_survives_the_wire(
            seconds in -62_135_596_800_i64..253_402_300_800, nanos in 0..1_000_000_000_i32,
        ) {
            let wire = Timestamp { seconds, nanos };

            prop_assert_eq!(timestamp(time("t", wire).unwrap()), wire);
        }

        #[test]
        fn no_wire_time_breaks_the_reading(seconds: i64, nanos: i32) {
            if let Ok(read) = time("t", Timestamp { seconds, nanos }) {
                prop_assert_eq!(timestamp(read), Timestamp { seconds, nanos });
            }
        }
    }

    #[test]
    fn times_beyond_the_wire_types_years_are_refused() {
        for (seconds, nanos) in [(-62_135_596_801, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000)] {
            assert!(time("t", Timestamp { seconds, nanos }).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn spans_are_whole_seconds() {
        assert_eq!(seconds("d", duration(90)).unwrap(), 90);
        for span in [Duration { seconds: 1, nanos: 1 }, Duration { seconds: i64::MAX, nanos: 0 }] {
            assert!(seconds("d", span).is_err(), "{span:?}");
        }
    }

    #[test]
    fn roles_and_origins_survive_the_wire() {
        for role in Role::ALL.iter().filter(|role| **role != Role::System) {
            assert_eq!(Role::try_from(proto::Role::from(*role)), Ok(*role));
        }
        for word in Origin::ALL {
            assert_eq!(origin((*word).into()), Some(*word));
        }
    }
}
