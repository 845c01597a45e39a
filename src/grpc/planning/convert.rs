//! Between planning and its wire types.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::{
    domain::planning::{
        conflict::ShownConflict,
        queries::{ShownPhase, ShownProject},
        user_mapping::{Likeness, ShownUser},
    },
    error::{Error, Result},
    grpc::convert::{text, timestamp},
    ids::PractitionerId,
    proto,
    store::planning::{
        absence,
        phase::PhaseSync,
        phase_change::PhaseChange,
        project::Totals,
        time_entry::{PersonTime, TimeEntry},
    },
    words::Area,
};

/// A day that may be left out; the field rules have seen its form.
/// Errors: `Invalid` for one that does not exist.
pub(super) fn optional_date(field: &str, text: &str) -> Result<Option<NaiveDate>> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    date.map(Some).map_err(|_| Error::invalid(field, "must be a date that exists, as YYYY-MM-DD"))
}

fn hours(hours: Option<Decimal>) -> String {
    hours.map(|hours| hours.normalize().to_string()).unwrap_or_default()
}

fn area(area: Option<Area>) -> i32 {
    area.map_or(proto::Area::Unspecified, Into::into).into()
}

impl From<ShownProject> for proto::Project {
    fn from(ShownProject { project, totals }: ShownProject) -> Self {
        Self {
            project_id: project.id.to_string(),
            integration_id: project.integration_id.to_string(),
            external_id: project.external_id,
            name: project.name,
            start_date: text(project.start_date),
            due_date: text(project.due_date),
            archived: project.is_archived,
            has_phases: project.has_area_field,
            has_planned_hours: project.has_hours_field,
            presence: proto::Presence::from(project.presence).into(),
            missing_time: project.missing_time.map(timestamp),
            sync_time: project.sync_time.map(timestamp),
            update_time: Some(timestamp(project.update_time)),
            totals: Some(proto_totals(totals)),
        }
    }
}

fn proto_totals(totals: Option<Totals>) -> proto::ProjectTotals {
    proto::ProjectTotals {
        phase_count: totals.map_or(0, |totals| totals.phases),
        completed_phase_count: totals.map_or(0, |totals| totals.completed_phases),
        planned_hours: hours(Some(totals.map_or(Decimal::ZERO, |totals| totals.planned_hours))),
        actual_minutes: totals.map_or(0, |totals| totals.actual_minutes),
    }
}

impl From<ShownPhase> for proto::Phase {
    fn from(ShownPhase { phase, projects }: ShownPhase) -> Self {
        Self {
            phase_id: phase.id.to_string(),
            integration_id: phase.integration_id.to_string(),
            external_id: phase.external_id,
            name: phase.name,
            project_ids: projects.iter().map(ToString::to_string).collect(),
            completed: phase.is_completed,
            assignee_id: text(phase.assignee_id),
            start_date: text(phase.fields.start_date),
            due_date: text(phase.fields.due_date),
            planned_hours: hours(phase.fields.planned_hours),
            area: area(phase.fields.area),
            actual_minutes: phase.actual_minutes.unwrap_or_default(),
            presence: proto::Presence::from(phase.presence).into(),
            missing_time: phase.missing_time.map(timestamp),
            update_time: Some(timestamp(phase.update_time)),
            provider_sync: Some(phase.sync.into()),
        }
    }
}

impl From<PhaseSync> for proto::ProviderSync {
    fn from(sync: PhaseSync) -> Self {
        Self {
            state: proto::ProviderSyncState::from(sync.provider_sync).into(),
            attempts: sync.provider_sync_attempts,
            initiate_time: sync.provider_sync_time.map(timestamp),
            initiated_by: sync.provider_sync_cause.unwrap_or_default(),
            message_id: String::new(),
            reason: sync.provider_sync_reason.unwrap_or_default(),
            review_time: None,
        }
    }
}

impl From<PersonTime> for proto::PersonTime {
    fn from(time: PersonTime) -> Self {
        Self {
            external_user_id: text(time.user_id),
            practitioner_id: text(time.practitioner_id),
            name: time.name,
            minutes: time.minutes,
        }
    }
}

impl From<PhaseChange> for proto::PhaseChange {
    fn from(change: PhaseChange) -> Self {
        Self {
            phase_change_id: change.id.to_string(),
            kind: proto::PhaseChangeKind::from(change.kind).into(),
            origin: proto::SyncOrigin::from(change.origin).into(),
            cause: change.cause,
            start_date: text(change.start_date),
            due_date: text(change.due_date),
            planned_hours: hours(change.planned_hours),
            area: area(change.area),
            presence: proto::Presence::from(change.presence).into(),
            provider_sync: proto::ProviderSyncState::from(change.provider_sync).into(),
            reason: change.reason.unwrap_or_default(),
            change_time: Some(timestamp(change.change_time)),
        }
    }
}

impl From<absence::Shown> for proto::Absence {
    fn from(shown: absence::Shown) -> Self {
        let absence = shown.absence;
        Self {
            absence_id: absence.id.to_string(),
            integration_id: absence.integration_id.to_string(),
            external_user_id: absence.user_id.to_string(),
            practitioner_id: text(shown.practitioner_id),
            name: shown.name,
            kind: absence.kind.unwrap_or_default(),
            start_date: absence.start_date.to_string(),
            end_date: absence.end_date.to_string(),
            update_time: Some(timestamp(absence.update_time)),
        }
    }
}

/// `practitioner`: whose account the user of the planning tool is.
pub(super) fn time_entry((entry, practitioner): (TimeEntry, Option<PractitionerId>)) -> proto::TimeEntry {
    proto::TimeEntry {
        time_entry_id: entry.id.to_string(),
        integration_id: entry.integration_id.to_string(),
        phase_id: entry.phase_id.to_string(),
        external_user_id: text(entry.user_id),
        practitioner_id: text(practitioner),
        entry_date: entry.entry_date.to_string(),
        minutes: entry.minutes,
    }
}

impl From<ShownUser> for proto::UserMapping {
    fn from(ShownUser { user, suggestion }: ShownUser) -> Self {
        let suggestion = suggestion.map(|(practitioner, likeness)| proto::UserMappingSuggestion {
            practitioner_id: practitioner.to_string(),
            likeness: match likeness {
                Likeness::Email => proto::UserMappingLikeness::Email.into(),
                Likeness::Name => proto::UserMappingLikeness::Name.into(),
            },
        });
        Self {
            external_user_id: user.id.to_string(),
            integration_id: user.integration_id.to_string(),
            external_id: user.external_id,
            name: user.name,
            email: user.email.unwrap_or_default(),
            practitioner_id: text(user.practitioner_id),
            mapped_by: user.mapped_by.unwrap_or_default(),
            map_time: user.map_time.map(timestamp),
            suggestion,
            missing_time: user.missing_time.map(timestamp),
        }
    }
}

impl From<ShownConflict> for proto::PhaseConflict {
    fn from(ShownConflict { conflict, is_revertable }: ShownConflict) -> Self {
        Self {
            phase_conflict_id: conflict.id.to_string(),
            phase_id: conflict.phase_id.to_string(),
            field: proto::PhaseField::from(conflict.field).into(),
            base_value: conflict.base_value.unwrap_or_default(),
            our_value: conflict.our_value.unwrap_or_default(),
            our_time: Some(timestamp(conflict.our_time)),
            their_value: conflict.their_value.unwrap_or_default(),
            their_time: Some(timestamp(conflict.their_time)),
            winner: proto::ConflictSide::from(conflict.winner).into(),
            reason: proto::ConflictReason::from(conflict.reason).into(),
            create_time: Some(timestamp(conflict.create_time)),
            revertable: is_revertable,
            revert_time: conflict.revert_time.map(timestamp),
            reverted_by: conflict.reverted_by.unwrap_or_default(),
        }
    }
}
