//! Between onboardings and their wire types.

use super::super::convert::timestamp;
use crate::{
    domain::onboarding::{
        Absences, Loss, NewMapping, Onboarding, Phase, Preview, ShownField, ShownWorkspace, Status, Step,
        StepState, Sum, kind,
        suggest::{self, Closeness, FieldKind, FieldRole},
    },
    proto,
    provider::asana::{EnumOption, NumberFormat},
    store::planning::settings::{AreaMapping, PlanningSettings},
    words::{AbsenceSource, Area, Plan},
};

/// The plan that a request names; unspecified is none.
pub(super) fn plan(plan: proto::WorkspacePlan) -> Option<Plan> {
    match plan {
        proto::WorkspacePlan::Unspecified => None,
        proto::WorkspacePlan::Free => Some(Plan::Free),
        proto::WorkspacePlan::Paid => Some(Plan::Paid),
    }
}

/// What a request says the fields mean.
pub(super) fn mapping(wire: proto::FieldMapping) -> NewMapping {
    let source = match wire.absence_source() {
        proto::AbsenceSource::Unspecified | proto::AbsenceSource::OutOfOffice => AbsenceSource::OutOfOffice,
        proto::AbsenceSource::None => AbsenceSource::None,
        proto::AbsenceSource::Project => AbsenceSource::Project,
    };
    let filled = |gid: String| Some(gid).filter(|gid| !gid.is_empty());
    let option = |option: proto::OptionMapping| {
        let area = area_of(option.area());
        (option.option_gid, area)
    };
    NewMapping {
        area_field: wire.area_field_gid,
        options: wire.options.into_iter().map(option).collect(),
        hours_field: filled(wire.hours_field_gid),
        absences: Absences {
            source,
            project: filled(wire.absence_project_gid),
            kind_field: filled(wire.absence_kind_field_gid),
        },
    }
}

/// A custom field as a page shows it.
pub(super) fn field(shown: ShownField, areas: &[AreaMapping]) -> proto::CustomField {
    let ShownField { field, project_count, suggestion, is_best, mapped, .. } = shown;
    let of_kind = kind(&field);
    let obstacle = |role: FieldRole| {
        let refused = role.takes(of_kind, field.is_read_only).err();
        refused.map(suggest::Unfit::reason).unwrap_or_default().to_string()
    };
    let is_area_field = mapped == Some(FieldRole::Area);
    let areas = if is_area_field { areas } else { &[] };
    let closeness = suggestion.as_ref().map(|suggestion| suggestion.closeness);
    proto::CustomField {
        area_obstacle: obstacle(FieldRole::Area),
        hours_obstacle: obstacle(FieldRole::Hours),
        kind: kind_of(of_kind).into(),
        precision: field.precision.and_then(|places| i32::try_from(places).ok()).unwrap_or_default(),
        format: field.format.as_ref().map(NumberFormat::as_str).unwrap_or_default().into(),
        options: field.options.iter().map(|one| option(one, areas)).collect(),
        is_global: field.is_global,
        project_count: i32::try_from(project_count).unwrap_or(i32::MAX),
        suggested_role: role_of(suggestion.map(|suggestion| suggestion.role)).into(),
        r#match: match_of(closeness).into(),
        is_best_match: is_best,
        mapped_role: role_of(mapped).into(),
        field_gid: field.gid,
        name: field.name.unwrap_or_default(),
        description: field.description.unwrap_or_default(),
    }
}

fn option(option: &EnumOption, areas: &[AreaMapping]) -> proto::CustomFieldOption {
    let name = option.name.clone().unwrap_or_default();
    let mapped = areas.iter().find(|row| row.option_id == option.gid).and_then(|row| row.area);
    proto::CustomFieldOption {
        option_gid: option.gid.clone(),
        color: option.color.clone().unwrap_or_default(),
        is_enabled: option.enabled,
        suggested_area: wire_area(suggest::area(&name)).into(),
        mapped_area: wire_area(mapped).into(),
        name,
    }
}

impl From<Onboarding> for proto::Onboarding {
    fn from(found: Onboarding) -> Self {
        let settings = found.settings.as_ref();
        Self {
            integration_id: found.integration.to_string(),
            next_step: step_of(found.next).into(),
            reason: found.reason,
            steps: found.steps.into_iter().map(Into::into).collect(),
            workspace: settings.and_then(workspace_of),
            field_mapping: settings.and_then(|settings| mapping_of(settings, &found.areas)),
            last_sync_log: found.newest_run.map(Into::into),
            webhook_count: count(found.webhooks),
            active_webhook_count: count(found.active_webhooks),
        }
    }
}

impl From<Status> for proto::OnboardingStepStatus {
    fn from(status: Status) -> Self {
        let state = match status.state {
            StepState::Waiting => proto::OnboardingStepState::Waiting,
            StepState::Ready => proto::OnboardingStepState::Ready,
            StepState::Running => proto::OnboardingStepState::Running,
            StepState::Failed => proto::OnboardingStepState::Failed,
            StepState::Done => proto::OnboardingStepState::Done,
        };
        Self {
            step: step_of(status.step).into(),
            state: state.into(),
            reason: status.reason,
            done_time: status.done_time.map(timestamp),
        }
    }
}

impl From<ShownWorkspace> for proto::Workspace {
    fn from(shown: ShownWorkspace) -> Self {
        Self {
            workspace_gid: shown.workspace.gid,
            name: shown.workspace.name.unwrap_or_default(),
            is_organization: shown.workspace.is_organization,
            is_selected: shown.selected.is_some(),
            plan: shown.selected.map_or(proto::WorkspacePlan::Unspecified, plan_of).into(),
        }
    }
}

impl From<Preview> for proto::PreviewFieldMappingResponse {
    fn from(preview: Preview) -> Self {
        Self {
            phases: preview.phases.into_iter().map(Into::into).collect(),
            losses: preview.losses.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Phase> for proto::PreviewPhase {
    fn from(phase: Phase) -> Self {
        let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        Self {
            task_gid: phase.task,
            name: phase.name,
            project_name: phase.project,
            start_date: day(phase.start_date),
            due_date: day(phase.due_date),
            option_name: phase.option.unwrap_or_default(),
            area: wire_area(phase.area).into(),
            planned_hours: phase.planned_hours.map(|hours| hours.to_string()).unwrap_or_default(),
            is_left_out: phase.is_left_out,
            losses: phase.losses.into_iter().map(Loss::as_str).map(Into::into).collect(),
        }
    }
}

impl From<Sum> for proto::PreviewLoss {
    fn from(sum: Sum) -> Self {
        Self {
            code: sum.loss.as_str().into(),
            task_count: count(sum.count),
            option_name: sum.option.unwrap_or_default(),
        }
    }
}

fn workspace_of(settings: &PlanningSettings) -> Option<proto::Workspace> {
    Some(proto::Workspace {
        workspace_gid: settings.workspace_id.clone()?,
        name: settings.workspace_name.clone().unwrap_or_default(),
        is_organization: false,
        is_selected: true,
        plan: plan_of(settings.plan).into(),
    })
}

fn mapping_of(settings: &PlanningSettings, areas: &[AreaMapping]) -> Option<proto::FieldMapping> {
    let option = |row: &AreaMapping| proto::OptionMapping {
        option_gid: row.option_id.clone(),
        area: wire_area(row.area).into(),
        name: row.option_name.clone(),
        color: row.color.clone().unwrap_or_default(),
        is_enabled: row.is_enabled,
    };
    let source = match settings.absence_source {
        AbsenceSource::None => proto::AbsenceSource::None,
        AbsenceSource::OutOfOffice => proto::AbsenceSource::OutOfOffice,
        AbsenceSource::Project => proto::AbsenceSource::Project,
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(proto::FieldMapping {
        area_field_gid: settings.area_field_id.clone()?,
        options: areas.iter().map(option).collect(),
        hours_field_gid: text(&settings.hours_field_id),
        absence_source: source.into(),
        absence_project_gid: text(&settings.absence_project_id),
        absence_kind_field_gid: text(&settings.absence_kind_field_id),
        area_field_name: text(&settings.area_field_name),
        hours_field_name: text(&settings.hours_field_name),
        hours_precision: settings.hours_precision.unwrap_or_default().into(),
        save_time: settings.mapping_time.map(timestamp),
    })
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn step_of(step: Step) -> proto::OnboardingStep {
    match step {
        Step::Authorization => proto::OnboardingStep::Authorization,
        Step::Workspace => proto::OnboardingStep::Workspace,
        Step::FieldMapping => proto::OnboardingStep::FieldMapping,
        Step::InitialSync => proto::OnboardingStep::InitialSync,
        Step::Webhooks => proto::OnboardingStep::Webhooks,
        Step::Done => proto::OnboardingStep::Done,
    }
}

fn plan_of(plan: Plan) -> proto::WorkspacePlan {
    match plan {
        Plan::Free => proto::WorkspacePlan::Free,
        Plan::Paid => proto::WorkspacePlan::Paid,
    }
}

fn kind_of(kind: FieldKind) -> proto::CustomFieldKind {
    match kind {
        FieldKind::Enum => proto::CustomFieldKind::Enum,
        FieldKind::Number(_) => proto::CustomFieldKind::Number,
        FieldKind::MultiEnum => proto::CustomFieldKind::MultiEnum,
        FieldKind::Text => proto::CustomFieldKind::Text,
        FieldKind::Date => proto::CustomFieldKind::Date,
        FieldKind::People => proto::CustomFieldKind::People,
        FieldKind::Other => proto::CustomFieldKind::Other,
    }
}

fn role_of(role: Option<FieldRole>) -> proto::CustomFieldRole {
    match role {
        None => proto::CustomFieldRole::Unspecified,
        Some(FieldRole::Area) => proto::CustomFieldRole::Area,
        Some(FieldRole::Hours) => proto::CustomFieldRole::Hours,
    }
}

fn match_of(closeness: Option<Closeness>) -> proto::NameMatch {
    match closeness {
        None => proto::NameMatch::Unspecified,
        Some(Closeness::Exact) => proto::NameMatch::Exact,
        Some(Closeness::Partial) => proto::NameMatch::Partial,
    }
}

fn wire_area(area: Option<Area>) -> proto::Area {
    match area {
        None => proto::Area::Unspecified,
        Some(Area::Production) => proto::Area::Production,
        Some(Area::Assembly) => proto::Area::Assembly,
    }
}

fn area_of(area: proto::Area) -> Option<Area> {
    match area {
        proto::Area::Unspecified => None,
        proto::Area::Production => Some(Area::Production),
        proto::Area::Assembly => Some(Area::Assembly),
    }
}
