//! Between appointments and their wire types.

use chrono::TimeDelta;

use crate::{
    domain::appointment::{Shown, is_stale},
    error::Result,
    grpc::convert::{self, text, timestamp},
    proto,
    store::{appointment::Change, integration::Freshness},
    words::{AppointmentStatus, ChangeKind},
};

/// A span that a request names. Errors: `Invalid` for parts of a second.
pub(super) fn span(field: &str, span: prost_types::Duration) -> Result<TimeDelta> {
    Ok(TimeDelta::seconds(convert::seconds(field, span)?.into()))
}

/// A status that a request names; unspecified is none.
pub(super) fn status(status: proto::AppointmentStatus) -> Option<AppointmentStatus> {
    Some(match status {
        proto::AppointmentStatus::Unspecified => return None,
        proto::AppointmentStatus::Held => AppointmentStatus::Held,
        proto::AppointmentStatus::Requested => AppointmentStatus::Requested,
        proto::AppointmentStatus::Booked => AppointmentStatus::Booked,
        proto::AppointmentStatus::Cancelled => AppointmentStatus::Cancelled,
        proto::AppointmentStatus::Completed => AppointmentStatus::Completed,
        proto::AppointmentStatus::NoShow => AppointmentStatus::NoShow,
        proto::AppointmentStatus::Conflicting => AppointmentStatus::Conflicting,
    })
}

/// How fresh a source is at this moment.
pub(super) fn source(source: Freshness, now: chrono::DateTime<chrono::Utc>) -> proto::SourceFreshness {
    proto::SourceFreshness {
        is_stale: is_stale(source.last_delivery_time, now),
        integration_id: source.integration_id.to_string(),
        name: source.name,
        last_delivery_time: source.last_delivery_time.map(timestamp),
    }
}

impl From<AppointmentStatus> for proto::AppointmentStatus {
    fn from(status: AppointmentStatus) -> Self {
        match status {
            AppointmentStatus::Held => Self::Held,
            AppointmentStatus::Requested => Self::Requested,
            AppointmentStatus::Booked => Self::Booked,
            AppointmentStatus::Cancelled => Self::Cancelled,
            AppointmentStatus::Completed => Self::Completed,
            AppointmentStatus::NoShow => Self::NoShow,
            AppointmentStatus::Conflicting => Self::Conflicting,
        }
    }
}

impl From<ChangeKind> for proto::AppointmentChangeKind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Created => Self::Created,
            ChangeKind::Moved => Self::Moved,
            ChangeKind::Status => Self::Status,
            ChangeKind::Details => Self::Details,
            ChangeKind::Patient => Self::Patient,
            ChangeKind::Sync => Self::Sync,
        }
    }
}

impl From<Shown> for proto::Appointment {
    fn from(shown: Shown) -> Self {
        let row = shown.appointment;
        Self {
            appointment_id: row.id.to_string(),
            patient_id: text(row.patient_id),
            practitioner_id: text(row.practitioner_id),
            service_id: text(row.service_id),
            therapist_name: row.therapist_name.unwrap_or_default(),
            service_name: row.service_name.unwrap_or_default(),
            status: proto::AppointmentStatus::from(row.status).into(),
            start_time: Some(timestamp(row.start_time)),
            end_time: Some(timestamp(row.end_time)),
            time_zone: row.time_zone,
            hold_expire_time: row.hold_expire_time.map(timestamp),
            origin: proto::SyncOrigin::from(row.origin).into(),
            last_change_origin: proto::SyncOrigin::from(row.last_change_origin).into(),
            integration_id: text(row.integration_id),
            external_id: row.external_id.unwrap_or_default(),
            sync_time: row.sync_time.map(timestamp),
            is_stale: shown.is_stale,
            conflicting_appointment_ids: shown.conflicting_ids.iter().map(ToString::to_string).collect(),
            cancel_reason: row.cancel_reason.unwrap_or_default(),
            create_time: Some(timestamp(row.create_time)),
            update_time: Some(timestamp(row.update_time)),
        }
    }
}

impl From<Change> for proto::AppointmentChange {
    fn from(change: Change) -> Self {
        Self {
            appointment_change_id: change.id.to_string(),
            kind: proto::AppointmentChangeKind::from(change.kind).into(),
            origin: proto::SyncOrigin::from(change.origin).into(),
            cause: change.cause,
            status: proto::AppointmentStatus::from(change.status).into(),
            start_time: Some(timestamp(change.start_time)),
            end_time: Some(timestamp(change.end_time)),
            practitioner_id: text(change.practitioner_id),
            change_time: Some(timestamp(change.change_time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_the_wire() {
        for word in AppointmentStatus::ALL {
            assert_eq!(status((*word).into()), Some(*word));
        }
    }
}
