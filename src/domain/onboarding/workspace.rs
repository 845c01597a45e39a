//! The workspaces that an account belongs to, one of which an integration is about.

use chrono::{DateTime, Utc};

use super::{Ground, Onboarding};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
        integration::{self, micros},
    },
    error::{Error, Noun, Result},
    ids::IntegrationId,
    page::{Page, Paged},
    provider::asana::{self, Workspace, collect},
    store::{self, planning::settings::PlanningSettings},
    words::Plan,
};

/// Pages of workspaces that are read at most; nobody belongs to a thousand.
const PAGES: usize = 10;

/// A workspace, and what was chosen of it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub workspace: Workspace,
    /// The plan it was said to have, if it is the chosen one.
    pub selected: Option<Plan>,
}

/// A page of the account's workspaces, by id. Errors: `NotFound`, `Invalid`, as of asking the provider.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    id: IntegrationId,
    page: &Page<String>,
) -> Result<Paged<Shown, String>> {
    let ground = Ground::of_reading(domain, caller, id).await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let settings = store::planning::settings::find(&mut tx, id).await?;
    tx.end_reading();
    let mut workspaces = read(&ground).await?;
    workspaces.sort_by(|a, b| a.gid.cmp(&b.gid));
    workspaces.retain(|one| page.after.as_ref().is_none_or(|after| one.gid > *after));
    workspaces.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
    let show = |workspace: Workspace| {
        let chosen = settings.as_ref().filter(|row| row.workspace_id.as_ref() == Some(&workspace.gid));
        Shown { selected: chosen.map(|row| row.plan), workspace }
    };
    let rows = workspaces.into_iter().map(show).collect();
    Ok(page.cut(rows, |row: &Shown| row.workspace.gid.clone()))
}

/// Chooses the workspace that an integration is about. Choosing it again changes its plan at most; another
/// one makes a new beginning, until something was read of the first.
///
/// Errors: `NotFound` (integration, workspace), `Invalid`, `WorkspaceInUse`, as of asking the provider,
/// `IdempotencyKeyReused`.
pub async fn select(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    (gid, plan): (&str, Option<Plan>),
    now: DateTime<Utc>,
) -> Result<Onboarding> {
    let ground = Ground::of_change(domain, caller, id).await?;
    let workspace = read(&ground).await?.into_iter().find(|one| one.gid == gid);
    let workspace = workspace.ok_or(Error::NotFound(Noun::Workspace))?;
    let now = micros(now);

    let mut tx = domain.store.tenant(caller.tenant).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        // Not behind the back of a run that begins, or of somebody who chooses another one, or this one
        // elsewhere.
        tx.lock("integrations").await?;
        store::integration::find_for_update(&mut tx, id).await?;
        let before = store::planning::settings::find_for_update(&mut tx, id).await?;
        let before = before.unwrap_or_else(|| PlanningSettings::new(id, now));
        let is_same = before.workspace_id.as_deref() == Some(gid);
        let is_in_use = before.workspace_id.is_some()
            && (store::sync_log::newest_of_everything(&mut tx, id).await?.is_some()
                || before.initial_sync_time.is_some());
        if !is_same && is_in_use {
            return Err(Error::WorkspaceInUse);
        }
        if !is_same && store::planning::settings::is_taken(&mut tx, id, gid).await? {
            return Err(Error::invalid("workspace_gid", "must be none that another integration is about"));
        }
        let begun = match is_same {
            true => PlanningSettings { update_time: now, ..before },
            false => {
                store::planning::settings::replace_area_mappings(&mut tx, id, &[]).await?;
                let fresh = PlanningSettings::new(id, now);
                PlanningSettings { workspace_time: Some(now), plan: before.plan, ..fresh }
            }
        };
        let row = PlanningSettings {
            workspace_id: Some(workspace.gid),
            workspace_name: workspace.name,
            plan: plan.unwrap_or(begun.plan),
            ..begun
        };
        // Who only repeats the choice keeps the rate that was given since.
        if plan.is_some() || !is_same {
            let (capacity, refill_per_s) = integration::rate(asana::requests_per_minute(row.plan))?;
            store::integration_flow::insert(&mut tx, id, capacity, refill_per_s).await?;
            store::integration_flow::set_rate(&mut tx, id, capacity, refill_per_s).await?;
        }
        store::planning::settings::save(&mut tx, &row).await?;
    }
    tx.commit().await?;
    super::get(domain, caller, id).await
}

async fn read(ground: &Ground<'_>) -> Result<Vec<Workspace>> {
    let list = collect(PAGES, |from| async move {
        let at = from.as_ref();
        ground.ask(move |way| async move { way.asana().workspaces(at).await }).await
    });
    Ok(list.await?.items)
}
