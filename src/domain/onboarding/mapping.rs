//! Which custom field is the area, what its options mean, and which one holds the planned hours.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Found, Ground, Onboarding, suggest::FieldRole};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
        integration::micros,
    },
    error::{Error, Result, Violation},
    ids::IntegrationId,
    provider::asana::CustomField,
    store::{
        self,
        planning::settings::{AreaMapping, PlanningSettings},
    },
    words::{AbsenceSource, Area},
};

/// What a caller says the custom fields mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMapping {
    pub area_field: String,
    /// By option; those that are ignored may be left out.
    pub options: Vec<(String, Option<Area>)>,
    pub hours_field: Option<String>,
    pub absences: Absences,
}

/// Where absences are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absences {
    pub source: AbsenceSource,
    pub project: Option<String>,
    pub kind_field: Option<String>,
}

/// A mapping that fits what the provider has.
#[derive(Debug, Clone)]
pub struct Checked {
    pub area_field: CustomField,
    pub hours_field: Option<CustomField>,
    /// By option, all of them.
    pub areas: BTreeMap<String, Option<Area>>,
    pub absences: Absences,
}

/// Saves a mapping that fits what the provider has now. One that says the same as before changes nothing.
///
/// Errors: `NotFound`, `Invalid`, `WorkspaceNotSelected`, as of asking the provider, `IdempotencyKeyReused`.
pub async fn save(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    new: NewMapping,
    now: DateTime<Utc>,
) -> Result<Onboarding> {
    let ground = Ground::of_change(domain, caller, id).await?;
    let (workspace, _) = ground.workspace().await?;
    let found = Found::read(&ground, &workspace).await?;
    let checked = check(&found, new)?;

    let mut tx = domain.store.tenant(caller.tenant).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        let before = store::planning::settings::find_for_update(&mut tx, id).await?;
        // Somebody may have chosen another workspace while the provider was asked.
        let before = before.filter(|row| row.workspace_id.as_deref() == Some(workspace.as_str()));
        let before = before.ok_or(Error::WorkspaceNotSelected)?;
        let areas_before = store::planning::settings::area_mappings(&mut tx, id).await?;
        let areas = checked.area_mappings(id);
        let is_same = means_the_same(&before, &areas_before, &checked);
        let row = checked.settings(before, is_same, micros(now));
        store::planning::settings::save(&mut tx, &row).await?;
        store::planning::settings::replace_area_mappings(&mut tx, id, &areas).await?;
    }
    tx.commit().await?;
    super::get(domain, caller, id).await
}

/// A mapping, if what it names is there and fits. Errors: `Invalid` with every field that does not.
pub(super) fn check(found: &Found, new: NewMapping) -> Result<Checked> {
    let mut violations = Vec::new();
    let mut refuse = |field: &str, description: &str| {
        violations
            .push(Violation { field: format!("field_mapping.{field}"), description: description.into() });
    };
    let area_field = found.field(&new.area_field);
    match area_field.map(|field| FieldRole::Area.takes(super::fields::kind(field), field.is_read_only)) {
        Some(Ok(())) => {}
        Some(Err(_)) => refuse("area_field_gid", "must be a field with one choice of several options"),
        None => refuse("area_field_gid", "must be a custom field of the workspace or one of its projects"),
    }
    let hours_field = new.hours_field.as_deref().map(|gid| found.field(gid));
    match hours_field {
        None => {}
        Some(None) => {
            refuse("hours_field_gid", "must be a custom field of the workspace or one of its projects");
        }
        Some(Some(field)) => {
            if let Err(unfit) = FieldRole::Hours.takes(super::fields::kind(field), field.is_read_only) {
                refuse("hours_field_gid", hours_obstacle(unfit));
            }
        }
    }
    let mut areas = BTreeMap::new();
    if let Some(field) = area_field {
        let known: HashSet<&str> = field.options.iter().map(|option| option.gid.as_str()).collect();
        areas.extend(field.options.iter().map(|option| (option.gid.clone(), None)));
        let mut said = HashSet::new();
        for (nth, (option, area)) in new.options.iter().enumerate() {
            if !known.contains(option.as_str()) {
                refuse(&format!("options[{nth}].option_gid"), "must be an option of the area field");
            } else if !said.insert(option) {
                refuse(&format!("options[{nth}].option_gid"), "must be there once");
            } else {
                areas.insert(option.clone(), *area);
            }
        }
        if areas.values().all(Option::is_none) {
            refuse("options", "must say of at least one option which area it is");
        }
    }
    check_absences(found, &new.absences, &mut refuse);
    match area_field {
        Some(area_field) if violations.is_empty() => Ok(Checked {
            area_field: area_field.clone(),
            hours_field: hours_field.flatten().cloned(),
            areas,
            absences: new.absences,
        }),
        _ => Err(Error::Invalid(violations)),
    }
}

fn check_absences(found: &Found, absences: &Absences, refuse: &mut impl FnMut(&str, &str)) {
    let project = absences.project.as_deref();
    match (absences.source, project) {
        (AbsenceSource::Project, None) => {
            refuse("absence_project_gid", "must name the project of the absences");
        }
        (AbsenceSource::Project, Some(gid)) => {
            let Some(project) = found.projects.iter().find(|project| project.gid == gid) else {
                return refuse("absence_project_gid", "must be a project of the workspace");
            };
            let has = |field: &String| project.field_gids.as_ref().is_some_and(|gids| gids.contains(field));
            if absences.kind_field.as_ref().is_some_and(|field| !has(field)) {
                refuse("absence_kind_field_gid", "must be a custom field of the project of the absences");
            }
        }
        (AbsenceSource::None | AbsenceSource::OutOfOffice, _) => {
            if project.is_some() {
                refuse("absence_project_gid", "must be empty unless absences are read from a project");
            }
            if absences.kind_field.is_some() {
                refuse("absence_kind_field_gid", "must be empty unless absences are read from a project");
            }
        }
    }
}

fn hours_obstacle(unfit: super::suggest::Unfit) -> &'static str {
    use super::suggest::Unfit;
    match unfit {
        Unfit::WrongType => "must be a number field",
        Unfit::UnitUnknown => {
            "must be a plain number: what a duration, a percentage or an amount is in hours nobody knows"
        }
        Unfit::ReadOnly => "must be a field that can be written",
    }
}

impl Checked {
    /// Decimal places that the provider keeps of planned hours; it knows no more than six.
    pub fn hours_precision(&self) -> Option<i16> {
        let field = self.hours_field.as_ref()?;
        Some(field.precision.and_then(|places| i16::try_from(places).ok()).unwrap_or(6).clamp(0, 6))
    }

    fn area_mappings(&self, integration: IntegrationId) -> Vec<AreaMapping> {
        let row = |option: &crate::provider::asana::EnumOption| AreaMapping {
            integration_id: integration,
            option_id: option.gid.clone(),
            option_name: option.name.clone().unwrap_or_default(),
            color: option.color.clone(),
            is_enabled: option.enabled,
            area: self.areas.get(&option.gid).copied().flatten(),
        };
        self.area_field.options.iter().map(row).collect()
    }

    fn settings(&self, before: PlanningSettings, is_same: bool, now: DateTime<Utc>) -> PlanningSettings {
        let mapping_time = before.mapping_time.filter(|_| is_same).or(Some(now));
        PlanningSettings {
            area_field_id: Some(self.area_field.gid.clone()),
            area_field_name: self.area_field.name.clone(),
            hours_field_id: self.hours_field.as_ref().map(|field| field.gid.clone()),
            hours_field_name: self.hours_field.as_ref().and_then(|field| field.name.clone()),
            hours_precision: self.hours_precision(),
            absence_source: self.absences.source,
            absence_project_id: self.absences.project.clone(),
            absence_kind_field_id: self.absences.kind_field.clone(),
            mapping_time,
            update_time: now,
            ..before
        }
    }
}

/// Whether phases read by the mapping before would be read alike by this one.
fn means_the_same(before: &PlanningSettings, areas: &[AreaMapping], checked: &Checked) -> bool {
    let areas_before: BTreeMap<&str, Area> =
        areas.iter().filter_map(|row| Some((row.option_id.as_str(), row.area?))).collect();
    let areas_now: BTreeMap<&str, Area> =
        checked.areas.iter().filter_map(|(option, area)| Some((option.as_str(), (*area)?))).collect();
    before.area_field_id.as_ref() == Some(&checked.area_field.gid)
        && before.hours_field_id.as_ref() == checked.hours_field.as_ref().map(|field| &field.gid)
        && before.hours_precision == checked.hours_precision()
        && areas_before == areas_now
}

#[cfg(test)]
mod tests;
