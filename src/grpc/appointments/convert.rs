//! Between appointments and their wire types.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    domain::appointment::{FreeSlot, News, Recorded, Shown, is_stale},
    error::Result,
    grpc::convert::{self, text, timestamp},
    proto::{self, watch_appointments_response::Event},
    store::{appointment::SyncStanding, integration::Freshness, intent::Intent},
    words::{AppointmentStatus, ChangeKind, IntentKind, IntentState, ProviderSync},
};

/// A span that a request names. Errors: `Invalid` for parts of a second.
pub(super) fn span(field: &str, span: prost_types::Duration) -> Result<TimeDelta> {
    Ok(TimeDelta::seconds(convert::seconds(field, span)?.into()))
}

/// How long a request waits; the field rules bound it to a minute.
pub(super) fn wait(span: prost_types::Duration) -> Duration {
    Duration::new(
        u64::try_from(span.seconds).unwrap_or_default(),
        u32::try_from(span.nanos).unwrap_or_default(),
    )
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

/// A standing at the provider that a request names; unspecified is none.
pub(super) fn provider_sync(state: proto::ProviderSyncState) -> Option<ProviderSync> {
    Some(match state {
        proto::ProviderSyncState::Unspecified => return None,
        proto::ProviderSyncState::None => ProviderSync::None,
        proto::ProviderSyncState::Pending => ProviderSync::Pending,
        proto::ProviderSyncState::Synced => ProviderSync::Synced,
        proto::ProviderSyncState::Failed => ProviderSync::Failed,
        proto::ProviderSyncState::Review => ProviderSync::Review,
    })
}

/// What a watcher is told; nothing in a heartbeat.
pub(super) fn event(news: News) -> Option<Event> {
    match news {
        News::Snapshot(shown) => Some(Event::Snapshot(shown.into())),
        News::SnapshotEnd => Some(Event::SnapshotEnd(proto::SnapshotEnd {})),
        News::Change { appointment, change } => Some(Event::Change(proto::WatchedChange {
            appointment: Some(appointment.into()),
            change: Some(change.into()),
        })),
        News::Leave(id) => Some(Event::Leave(proto::WatchedLeave { appointment_id: id.to_string() })),
        News::Heartbeat => None,
    }
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

impl From<ProviderSync> for proto::ProviderSyncState {
    fn from(sync: ProviderSync) -> Self {
        match sync {
            ProviderSync::None => Self::None,
            ProviderSync::Pending => Self::Pending,
            ProviderSync::Synced => Self::Synced,
            ProviderSync::Failed => Self::Failed,
            ProviderSync::Review => Self::Review,
        }
    }
}

impl From<SyncStanding> for proto::ProviderSync {
    fn from(standing: SyncStanding) -> Self {
        Self {
            state: proto::ProviderSyncState::from(standing.provider_sync).into(),
            attempts: standing.provider_sync_attempts,
            initiate_time: standing.provider_sync_time.map(timestamp),
            initiated_by: standing.provider_sync_cause.unwrap_or_default(),
            message_id: text(standing.provider_sync_message_id),
            reason: standing.provider_sync_reason.unwrap_or_default(),
            review_time: standing.provider_sync_review_time.map(timestamp),
        }
    }
}

impl From<Intent> for proto::Intent {
    fn from(intent: Intent) -> Self {
        let kind = match intent.kind {
            IntentKind::Create => proto::IntentKind::Create,
            IntentKind::Reschedule => proto::IntentKind::Reschedule,
            IntentKind::Cancel => proto::IntentKind::Cancel,
        };
        let state = match intent.state {
            IntentState::Recorded => proto::IntentState::Recorded,
            IntentState::Sent => proto::IntentState::Sent,
            IntentState::Unknown => proto::IntentState::Unknown,
            IntentState::Done => proto::IntentState::Done,
            IntentState::Refused => proto::IntentState::Refused,
            IntentState::Superseded => proto::IntentState::Superseded,
        };
        Self {
            intent_id: intent.id.to_string(),
            kind: kind.into(),
            state: state.into(),
            reason: intent.reason.unwrap_or_default(),
            attempts: intent.attempts,
            send_time: intent.send_time.map(timestamp),
            settle_time: intent.settle_time.map(timestamp),
        }
    }
}

impl From<FreeSlot> for proto::FreeSlot {
    fn from(slot: FreeSlot) -> Self {
        Self { start_time: Some(timestamp(slot.start)), end_time: Some(timestamp(slot.end)) }
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
            provider_sync: Some(row.sync.into()),
        }
    }
}

impl From<Recorded> for proto::AppointmentChange {
    fn from(Recorded { change, intent }: Recorded) -> Self {
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
            provider_sync: proto::ProviderSyncState::from(change.provider_sync).into(),
            intent: intent.map(Into::into),
            reason: change.reason.unwrap_or_default(),
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
        for word in ProviderSync::ALL {
            assert_eq!(provider_sync((*word).into()), Some(*word));
        }
    }
}
