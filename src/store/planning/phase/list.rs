//! Pages of phases.

use chrono::NaiveDate;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, SelectableHelper,
};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::Phase;
use crate::{
    error::Result,
    ids::{ExternalUserId, IntegrationId, PhaseId, PractitionerId, ProjectId},
    page::{Page, Paged},
    store::{
        Cached, TenantTx,
        schema::{external_user, phase, phase_project},
    },
    words::{Area, Presence, ProviderSync},
};

/// Which phases a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    pub project: Option<ProjectId>,
    /// Only those that last until this day or longer.
    pub date_from: Option<NaiveDate>,
    /// Only those that begin on this day or earlier.
    pub date_until: Option<NaiveDate>,
    pub area: Option<Area>,
    pub without_area: bool,
    pub assignee: Option<ExternalUserId>,
    /// Only those that a user is to do who is this practitioner.
    pub practitioner: Option<PractitionerId>,
    pub provider_sync: Option<ProviderSync>,
    /// None: those that are present or missing.
    pub presence: Option<Presence>,
    pub open_only: bool,
}

/// Where a page of phases ended: the due date where that is the order, and the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    due_date: Option<NaiveDate>,
    id: PhaseId,
}

impl Filter {
    fn is_about_time(&self) -> bool {
        self.date_from.is_some() || self.date_until.is_some()
    }
}

/// A page: by due date and id if the filter names a time, otherwise by id.
/// A phase without a due date is at no time.
pub async fn list(tx: &mut TenantTx, filter: &Filter, page: &Page<Cursor>) -> Result<Paged<Phase, Cursor>> {
    let mut query = phase::table.limit(page.limit()).select(Phase::as_select()).into_boxed();
    query = match filter.presence {
        Some(presence) => query.filter(phase::presence.eq(presence)),
        None => query.filter(phase::presence.eq_any([Presence::Present, Presence::Missing])),
    };
    if let Some(integration) = filter.integration {
        query = query.filter(phase::integration_id.eq(integration));
    }
    if let Some(project) = filter.project {
        let inside = phase_project::table
            .filter(phase_project::project_id.eq(project))
            .select(phase_project::phase_id);
        query = query.filter(phase::id.eq_any(inside));
    }
    if let Some(from) = filter.date_from {
        query = query.filter(phase::due_date.ge(from));
    }
    if let Some(until) = filter.date_until {
        let is_one_day = phase::start_date.is_null().and(phase::due_date.le(until));
        query = query.filter(phase::start_date.le(until).or(is_one_day));
    }
    if let Some(area) = filter.area {
        query = query.filter(phase::area.eq(area));
    }
    if filter.without_area {
        query = query.filter(phase::area.is_null());
    }
    if let Some(assignee) = filter.assignee {
        query = query.filter(phase::assignee_id.eq(assignee));
    }
    if let Some(practitioner) = filter.practitioner {
        let accounts = external_user::table
            .filter(external_user::practitioner_id.eq(practitioner))
            .select(external_user::id.nullable());
        query = query.filter(phase::assignee_id.eq_any(accounts));
    }
    if let Some(provider_sync) = filter.provider_sync {
        query = query.filter(phase::provider_sync.eq(provider_sync));
    }
    if filter.open_only {
        query = query.filter(phase::is_completed.eq(false));
    }
    query = if filter.is_about_time() {
        query.order((phase::due_date.asc(), phase::id.asc()))
    } else {
        query.order(phase::id)
    };
    query = match page.after {
        // The first half alone is what the index can be entered with.
        Some(Cursor { due_date: Some(due_date), id }) => query
            .filter(phase::due_date.ge(due_date))
            .filter(phase::due_date.gt(due_date).or(phase::id.nullable().gt(id))),
        Some(Cursor { due_date: None, id }) => query.filter(phase::id.gt(id)),
        None => query,
    };
    let is_about_time = filter.is_about_time();
    let cursor = |row: &Phase| Cursor { due_date: row.fields.due_date.filter(|_| is_about_time), id: row.id };
    Ok(page.cut(Cached(query).load(tx.conn()).await?, cursor))
}
