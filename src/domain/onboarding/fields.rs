//! The custom fields that a workspace's tasks can have: those that all projects share, and those that one
//! project has for itself.

use std::collections::{HashMap, HashSet};

use futures::future::try_join_all;

use super::{
    Ground,
    suggest::{self, Candidate, FieldKind, FieldRole, NumberFormat, Suggestion},
};
use crate::{
    error::{Error, Result},
    fold,
    page::{Page, Paged},
    provider::asana::{self, CustomField, FieldSubtype, Project, collect},
    store,
};

/// Pages of a list that are read at most, of a hundred records each.
const PAGES: usize = 50;
/// Projects that are asked for fields of their own, at most, within the part of the budget that one answer
/// may use up.
const OWN_FIELDS_OF: usize = 250;
const BUDGET_PART: f64 = 0.5;
/// Projects that are asked at the same time: somebody waits.
const AT_ONCE: usize = 10;

/// What a workspace has.
#[derive(Debug)]
pub struct Found {
    pub fields: Vec<CustomField>,
    /// Not the archived ones.
    pub projects: Vec<Project>,
    /// Some projects' own fields are missing: more projects have some than are asked.
    pub is_cut: bool,
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
    /// Somebody may miss one.
    LimitReached,
}

impl Hint {
    /// A code for answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCustomFields => "NO_CUSTOM_FIELDS",
            Self::NoEnumField => "NO_ENUM_FIELD",
            Self::NoAreaSuggested => "NO_AREA_SUGGESTED",
            Self::LimitReached => "LIMIT_REACHED",
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
        let list = collect(PAGES, |from| async move {
            let at = from.as_ref();
            ground
                .ask(move |way| async move { way.asana().workspace_custom_fields(workspace, at).await })
                .await
        });
        let list = list.await?;
        if list.next.is_some() {
            return Err(Error::LimitReached("5000 custom fields"));
        }
        let projects = projects(ground, workspace).await?;
        let mut found = Self { fields: list.items, projects, is_cut: false };
        found.read_own(ground).await?;
        Ok(found)
    }

    /// Adds what only single projects have.
    async fn read_own(&mut self, ground: &Ground<'_>) -> Result<()> {
        let at_most = affordable(ground).await?;
        let mut asked = self.with_own_fields(at_most + 1);
        self.is_cut = asked.len() > at_most;
        asked.truncate(at_most);
        let mut known: HashSet<String> = self.fields.iter().map(|field| field.gid.clone()).collect();
        for some in asked.chunks(AT_ONCE) {
            let told = try_join_all(some.iter().map(|project| own_fields(ground, project))).await?;
            let own = told.into_iter().flatten();
            self.fields.extend(own.filter(|field| known.insert(field.gid.clone())));
        }
        Ok(())
    }

    /// As few projects as have all the fields that are not shared, those with most of them first; at most so
    /// many.
    fn with_own_fields(&self, at_most: usize) -> Vec<String> {
        let mut known: HashSet<&str> = self.fields.iter().map(|field| field.gid.as_str()).collect();
        let mut found = Vec::new();
        while found.len() < at_most {
            let unknown = |project: &&Project| {
                project.field_gids.iter().flatten().filter(|gid| !known.contains(gid.as_str())).count()
            };
            let most = self.projects.iter().max_by_key(unknown);
            let Some(most) = most.filter(|one| unknown(one) > 0) else { break };
            // What it does not tell of itself is not asked for again.
            known.extend(most.field_gids.iter().flatten().map(String::as_str));
            found.push(most.gid.clone());
        }
        found
    }

    pub(super) fn field(&self, gid: &str) -> Option<&CustomField> {
        self.fields.iter().find(|field| field.gid == gid)
    }

    /// What there is to say about all of them.
    pub fn hint(&self) -> Option<Hint> {
        // Whatever else is missing may be among them.
        if self.is_cut {
            return Some(Hint::LimitReached);
        }
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

/// How many projects may be asked for one answer.
async fn affordable(ground: &Ground<'_>) -> Result<usize> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let flow = store::integration_flow::find(&mut tx, ground.id).await?;
    tx.end_reading();
    Ok(flow.map_or(OWN_FIELDS_OF, |flow| OWN_FIELDS_OF.min((flow.capacity * BUDGET_PART) as usize)))
}

/// What one project's tasks have.
async fn own_fields(ground: &Ground<'_>, project: &str) -> Result<Vec<CustomField>> {
    let list = collect(PAGES, |from| async move {
        let at = from.as_ref();
        ground.ask(move |way| async move { way.asana().custom_field_settings(project, at).await }).await
    });
    Ok(list.await?.items.into_iter().map(|setting| setting.field).collect())
}

/// The projects of a workspace, those that are archived left out.
pub(super) async fn projects(ground: &Ground<'_>, workspace: &str) -> Result<Vec<Project>> {
    let list = collect(PAGES, |from| async move {
        let at = from.as_ref();
        ground.ask(move |way| async move { way.asana().projects(workspace, at).await }).await
    });
    let list = list.await?;
    if list.next.is_some() {
        return Err(Error::LimitReached("5000 projects"));
    }
    Ok(list.items.into_iter().filter(|project| !project.archived).collect())
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
