//! The custom fields that a workspace's tasks can have: those that all projects share, and those that one
//! project has for itself.

use std::collections::{HashMap, HashSet};

use super::{
    Ground,
    suggest::{self, Candidate, FieldKind, FieldRole, NumberFormat, Suggestion},
};
use crate::{
    error::{Error, Result},
    fold,
    page::{Page, Paged},
    provider::asana::{self, CustomField, FieldSubtype, Offset, Project},
};

/// Pages of a list that are read at most, of a hundred records each.
const PAGES: usize = 50;
/// Projects that are asked for fields of their own, at most.
const OWN_FIELDS_OF: usize = 25;

/// What a workspace has.
#[derive(Debug)]
pub struct Found {
    pub fields: Vec<CustomField>,
    /// Not the archived ones.
    pub projects: Vec<Project>,
}

/// A field with what screens show beside it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub field: CustomField,
    pub project_count: usize,
    /// What its name says it is.
    pub suggestion: Option<Suggestion>,
    pub is_best: bool,
    pub mapped: Option<FieldRole>,
    place: String,
}

/// What stands in the way as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    NoCustomFields,
    /// Somebody must make one at the provider.
    NoEnumField,
    /// Somebody must choose one.
    NoAreaSuggested,
}

impl Hint {
    /// A code for answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCustomFields => "NO_CUSTOM_FIELDS",
            Self::NoEnumField => "NO_ENUM_FIELD",
            Self::NoAreaSuggested => "NO_AREA_SUGGESTED",
        }
    }
}

/// The kind of a provider's field, as suggestions know it.
pub fn kind(field: &CustomField) -> FieldKind {
    match &field.subtype {
        FieldSubtype::Enum => FieldKind::Enum,
        FieldSubtype::Number => FieldKind::Number(format(field)),
        FieldSubtype::MultiEnum => FieldKind::MultiEnum,
        FieldSubtype::Text => FieldKind::Text,
        FieldSubtype::Date => FieldKind::Date,
        FieldSubtype::People => FieldKind::People,
        FieldSubtype::Reference | FieldSubtype::Other(_) => FieldKind::Other,
    }
}

fn format(field: &CustomField) -> NumberFormat {
    match &field.format {
        None | Some(asana::NumberFormat::Plain | asana::NumberFormat::Custom) => NumberFormat::Plain,
        Some(asana::NumberFormat::Currency) => NumberFormat::Currency,
        Some(asana::NumberFormat::Identifier) => NumberFormat::Identifier,
        Some(asana::NumberFormat::Percentage) => NumberFormat::Percentage,
        Some(asana::NumberFormat::Duration) => NumberFormat::Duration,
        Some(asana::NumberFormat::Other(_)) => NumberFormat::Other,
    }
}

impl Found {
    /// Reads them: the shared ones, the projects with the ids of what each has, and then as few projects as
    /// know the rest.
    ///
    /// Errors: as of asking the provider, `LimitReached`.
    pub(super) async fn read(ground: &Ground<'_>, workspace: &str) -> Result<Self> {
        let mut fields = Vec::new();
        let mut offset: Option<Offset> = None;
        for _ in 0..PAGES {
            let at = offset.as_ref();
            let page = ground
                .ask(move |way| async move { way.asana().workspace_custom_fields(workspace, at).await });
            let page = page.await?;
            fields.extend(page.items);
            offset = page.next;
            if offset.is_none() {
                break;
            }
        }
        if offset.is_some() {
            return Err(Error::LimitReached("5000 custom fields"));
        }
        let projects = projects(ground, workspace).await?;
        let mut found = Self { fields, projects };
        found.read_own(ground).await?;
        Ok(found)
    }

    /// Adds what only single projects have.
    async fn read_own(&mut self, ground: &Ground<'_>) -> Result<()> {
        let mut known: HashSet<String> = self.fields.iter().map(|field| field.gid.clone()).collect();
        for _ in 0..OWN_FIELDS_OF {
            let unknown = |project: &Project| {
                project.field_gids.iter().flatten().filter(|gid| !known.contains(*gid)).count()
            };
            let Some(most) = self.projects.iter().max_by_key(|project| unknown(project)) else { break };
            if unknown(most) == 0 {
                break;
            }
            // What it does not tell of itself is not asked for again.
            known.extend(most.field_gids.iter().flatten().cloned());
            let gid = most.gid.clone();
            let mut offset: Option<Offset> = None;
            for _ in 0..PAGES {
                let (of, at) = (gid.as_str(), offset.as_ref());
                let page =
                    ground.ask(move |way| async move { way.asana().custom_field_settings(of, at).await });
                let page = page.await?;
                for setting in page.items {
                    if self.fields.iter().all(|field| field.gid != setting.field.gid) {
                        self.fields.push(setting.field);
                    }
                }
                offset = page.next;
                if offset.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn field(&self, gid: &str) -> Option<&CustomField> {
        self.fields.iter().find(|field| field.gid == gid)
    }

    /// What there is to say about all of them.
    pub fn hint(&self) -> Option<Hint> {
        if self.fields.is_empty() {
            return Some(Hint::NoCustomFields);
        }
        if !self.fields.iter().any(|field| kind(field) == FieldKind::Enum) {
            return Some(Hint::NoEnumField);
        }
        let is_suggested =
            self.fields.iter().any(|field| suggest::closeness(FieldRole::Area, &candidate(field)).is_some());
        (!is_suggested).then_some(Hint::NoAreaSuggested)
    }

    /// A page of them: what is mapped, then what fits best, then the rest, each by name.
    pub fn page(self, mapped: &HashMap<String, FieldRole>, page: &Page<String>) -> Paged<Shown, String> {
        let candidates: Vec<Candidate<'_>> = self.fields.iter().map(candidate).collect();
        let best: Vec<Suggestion> =
            FieldRole::ALL.into_iter().filter_map(|role| suggest::best(role, &candidates)).collect();
        let show = |field: &CustomField| {
            let candidate = candidate(field);
            let suggestion = FieldRole::ALL.into_iter().find_map(|role| {
                let closeness = suggest::closeness(role, &candidate)?;
                Some(Suggestion { role, gid: field.gid.clone(), closeness })
            });
            let is_best = best.iter().any(|best| best.gid == field.gid);
            let mapped = mapped.get(&field.gid).copied();
            let group = match (mapped, is_best, &suggestion) {
                (Some(_), _, _) => 0,
                (None, true, _) => 1,
                (None, false, Some(_)) => 2,
                (None, false, None) => 3,
            };
            let has = |project: &&Project| {
                project.field_gids.as_ref().is_some_and(|gids| gids.contains(&field.gid))
            };
            Shown {
                field: field.clone(),
                project_count: self.projects.iter().filter(has).count(),
                place: format!("{group}\n{}\n{}", fold::name(candidate.name), field.gid),
                suggestion,
                is_best,
                mapped,
            }
        };
        let mut rows: Vec<Shown> = self.fields.iter().map(show).collect();
        rows.sort_by(|a, b| a.place.cmp(&b.place));
        rows.retain(|row| page.after.as_ref().is_none_or(|after| row.place > *after));
        rows.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
        page.cut(rows, |row: &Shown| row.place.clone())
    }
}

/// The projects of a workspace, those that are archived left out.
pub(super) async fn projects(ground: &Ground<'_>, workspace: &str) -> Result<Vec<Project>> {
    let mut projects = Vec::new();
    let mut offset: Option<Offset> = None;
    for _ in 0..PAGES {
        let at = offset.as_ref();
        let page = ground.ask(move |way| async move { way.asana().projects(workspace, at).await }).await?;
        projects.extend(page.items.into_iter().filter(|project| !project.archived));
        offset = page.next;
        if offset.is_none() {
            return Ok(projects);
        }
    }
    Err(Error::LimitReached("5000 projects"))
}

fn candidate(field: &CustomField) -> Candidate<'_> {
    Candidate {
        gid: &field.gid,
        name: field.name.as_deref().unwrap_or_default(),
        kind: kind(field),
        is_read_only: field.is_read_only,
        is_global: field.is_global,
    }
}
