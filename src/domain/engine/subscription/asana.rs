//! Asana's webhooks: one per project whose phases are read, and one for the workspace, which tells of
//! projects and nothing else.
//!
//! Asana calls the address while we still ask it to make the webhook, so what it needs is committed before,
//! and nothing is locked meanwhile (asana.md §6.3). Each attempt has an address of its own. What Asana
//! dropped, or somebody deleted, is made again and its project read, because what happened in between was
//! told to nobody.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, StreamExt, stream};

use super::{is_of_may_write, may_write};
use crate::{
    domain::engine::{
        provider_call::{AsanaFailure, HeldPlace},
        reconcile,
        record::{Ground, Stop},
    },
    error::Result,
    ids::WebhookEndpointId,
    provider::asana::{Action, CallError, Filter, ResourceKind, Subscription as Listed},
    store::{self, TenantTx, planning::settings::PlanningSettings, subscription::Subscription},
    words::{AbsenceSource, Presence, SubscriptionState},
};

mod calls;
mod making;

pub(super) use calls::{as_any_providers, take_back};
use calls::{delete, list_ours, write};

/// How long a replaced address still answers: what was on its way then arrives (asana.md §6.2).
const LATE: TimeDelta = TimeDelta::days(1);
/// Webhooks that are made at a time; a part of what may be under way at once.
const AT_ONCE: usize = 4;
/// How long a check waits for the budget: an address must still take its secret afterwards.
const HELD_FOR: Duration = Duration::from_secs(45);
/// What Asana refused is asked for again after this, or when somebody activates the webhooks: each time takes
/// an address.
const REFUSED_AGAIN_AFTER: TimeDelta = TimeDelta::hours(6);

/// Somebody was faster than Asana with a secret of their own.
const HANDSHAKE_NOT_OURS: &str = "HANDSHAKE_NOT_OURS";

/// A webhook that is there to be: of a project, or of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::domain) enum Resource {
    Project(String),
    Workspace(String),
}

impl Resource {
    /// As subscriptions name it.
    pub(in crate::domain) fn parse(text: &str) -> Option<Self> {
        match text.split_once('/')? {
            ("project", gid) => Some(Self::Project(gid.into())),
            ("workspace", gid) => Some(Self::Workspace(gid.into())),
            _ => None,
        }
    }

    /// The project, unless it is the workspace.
    pub(in crate::domain) fn project(&self) -> Option<&str> {
        match self {
            Self::Project(gid) => Some(gid),
            Self::Workspace(_) => None,
        }
    }

    fn gid(&self) -> &str {
        match self {
            Self::Project(gid) | Self::Workspace(gid) => gid,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Project(gid) => format!("project/{gid}"),
            Self::Workspace(gid) => format!("workspace/{gid}"),
        }
    }

    /// What it is told of. A workspace's webhook must have filters, and never tells of tasks (asana.md §6.2).
    fn filters(&self) -> Vec<Filter> {
        let kind = match self {
            Self::Project(_) => ResourceKind::Task,
            Self::Workspace(_) => ResourceKind::Project,
        };
        let actions = [Action::Changed, Action::Added, Action::Removed, Action::Deleted, Action::Undeleted];
        actions.into_iter().map(|action| Filter { kind: kind.clone(), action }).collect()
    }
}

/// What is there to be, and what there is.
struct Round<'a> {
    ground: &'a Ground<'a>,
    workspace: String,
    /// Ours at the provider.
    listed: Vec<(Listed, Option<WebhookEndpointId>)>,
    known: Vec<Subscription>,
    held: HeldPlace,
    /// What is not done by now is the next check's: no address is made for what may not be asked for.
    is_over: AtomicBool,
}

/// Makes Asana's webhooks what they should be. One that is refused does not keep the others from being made.
pub(super) async fn check(ground: &Ground<'_>) -> Result<(), Stop> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let settings = store::planning::settings::find(&mut tx, ground.id()).await?;
    let Some(settings) = settings.filter(|settings| settings.webhooks_time.is_some()) else { return Ok(()) };
    let Some(workspace) = settings.workspace_id.clone() else { return Ok(()) };
    let projects = store::planning::project::all_of(&mut tx, ground.id()).await?;
    let known = store::subscription::of_integration(&mut tx, ground.id()).await?;
    tx.commit().await?;
    let projects = projects.iter().filter(|project| {
        project.presence == Presence::Present && !project.is_archived && project.has_area_field
    });
    let wanted = wanted(&settings, &workspace, projects.map(|project| project.external_id.as_str()));
    let listed = list_ours(ground, &workspace).await?;
    let (held, is_over) = (HeldPlace::lasting(HELD_FOR), AtomicBool::new(false));
    let round = Round { ground, workspace, listed, known, held, is_over };

    round.take_back_strays(&wanted).await?;
    // Boxed one by one: the compiler cannot tell that a stream of what borrows may be sent.
    let checks: Vec<_> = wanted.iter().map(|resource| round.check_next(resource).boxed()).collect();
    let done: Vec<Result<bool, Stop>> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
    round.forget_unwanted(&wanted).await?;
    let now = Utc::now();
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    // What is on its way to an address that was replaced long ago never arrives.
    store::webhook_endpoint::disable_leftovers(&mut tx, ground.id(), now - LATE, now).await?;
    if done.iter().any(|made| matches!(made, Ok(true))) {
        // What happened before they told of it nobody heard; the streams of events kept it.
        reconcile::queue(&mut tx, ground.id(), "subscription_check", now).await?;
    }
    tx.commit().await?;
    done.into_iter().try_for_each(|done| done.map(drop))
}

fn wanted<'a>(
    settings: &'a PlanningSettings,
    workspace: &str,
    projects: impl Iterator<Item = &'a str>,
) -> Vec<Resource> {
    let absences = settings.absence_project_id.as_deref();
    let absences = absences.filter(|_| settings.absence_source == AbsenceSource::Project);
    let mut seen = HashSet::new();
    let mut wanted = vec![Resource::Workspace(workspace.into())];
    wanted.extend(
        projects.chain(absences).filter(|gid| seen.insert(*gid)).map(|gid| Resource::Project(gid.into())),
    );
    wanted
}

impl Round<'_> {
    /// Nothing if what was before it could not be done now.
    async fn check_next(&self, resource: &Resource) -> Result<bool, Stop> {
        if self.is_over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let done = self.check_one(resource).await;
        self.is_over.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    }

    /// Whether one was made, or is told of more than before.
    async fn check_one(&self, resource: &Resource) -> Result<bool, Stop> {
        let known = self.known.iter().find(|one| one.resource == resource.name());
        if let Some((known, listed)) = known.and_then(|known| Some((known, self.fitting(known, resource)?))) {
            let wanted = resource.filters();
            if listed.filters.as_ref().is_some_and(|told| !is_same(told, &wanted)) {
                return self.filter(known, listed, &wanted).await;
            }
            save(self.ground, &with_health(known.clone(), listed)).await?;
            return Ok(false);
        }
        match may_write(self.ground) {
            Ok(()) if known.is_some_and(is_too_soon) => Ok(false),
            Ok(()) => self.make(resource, known).await,
            Err(reason) => {
                let row = match known {
                    Some(known) => known.clone(),
                    None => self.prepare(resource, None, Utc::now()).await?.0,
                };
                save(self.ground, &failed(row, reason)).await?;
                Ok(false)
            }
        }
    }

    /// The webhook that is what it should be: active, about this, and at the address whose secret is known.
    fn fitting(&self, known: &Subscription, resource: &Resource) -> Option<&Listed> {
        let fits = |(listed, endpoint): &&(Listed, Option<WebhookEndpointId>)| {
            *endpoint == Some(known.webhook_endpoint_id)
                && listed.is_active
                && listed.resource.as_deref() == Some(resource.gid())
        };
        self.listed.iter().find(fits).map(|(listed, _)| listed)
    }

    /// Has a webhook tell of what it is there for: somebody changed that, or we did. False: it was refused.
    async fn filter(&self, known: &Subscription, listed: &Listed, wanted: &[Filter]) -> Result<bool, Stop> {
        let ground = self.ground;
        if let Err(reason) = may_write(ground) {
            save(ground, &failed(known.clone(), reason)).await?;
            return Ok(false);
        }
        let changed = write(ground.domain, ground.tenant, ground.id(), &self.held, move |way| async move {
            way.asana().filter_webhook(&listed.gid, wanted).await
        });
        match changed.await {
            Ok(changed) => {
                save(ground, &with_health(known.clone(), &changed)).await?;
                Ok(true)
            }
            Err(AsanaFailure::Call(CallError::Refused(refusal))) => {
                save(ground, &failed(known.clone(), refusal.reason())).await?;
                Ok(false)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Deletes what of ours is registered and not to be, or no longer works: where it was dropped half way,
    /// or made twice.
    async fn take_back_strays(&self, wanted: &[Resource]) -> Result<(), Stop> {
        if may_write(self.ground).is_err() {
            return Ok(());
        }
        for (listed, _) in &self.listed {
            let is_kept = wanted.iter().any(|resource| {
                let known = self.known.iter().find(|one| one.resource == resource.name());
                known
                    .and_then(|known| self.fitting(known, resource))
                    .is_some_and(|kept| kept.gid == listed.gid)
            });
            if !is_kept {
                let (ground, held) = (self.ground, &self.held);
                delete(ground.domain, ground.tenant, ground.id(), &listed.gid, held).await?;
            }
        }
        Ok(())
    }

    /// Forgets what is no longer to be; at the provider it is gone by now.
    async fn forget_unwanted(&self, wanted: &[Resource]) -> Result<()> {
        if may_write(self.ground).is_err() {
            return Ok(());
        }
        let is_wanted = |one: &&Subscription| wanted.iter().any(|resource| resource.name() == one.resource);
        for known in self.known.iter().filter(|one| !is_wanted(one)) {
            let mut tx = self.ground.domain.store.tenant(self.ground.tenant).await?;
            store::subscription::remove(&mut tx, known.id).await?;
            retire(&mut tx, known.webhook_endpoint_id, Utc::now()).await?;
            tx.commit().await?;
        }
        tracing::debug!(workspace = %self.workspace, webhooks = wanted.len(), "webhooks checked");
        Ok(())
    }
}

/// Asana said no lately, and nobody has asked for another try.
fn is_too_soon(known: &Subscription) -> bool {
    let is_refused = known.state == SubscriptionState::Failed && known.external_id.is_none();
    let is_recent = |time: DateTime<Utc>| Utc::now() - time < REFUSED_AGAIN_AFTER;
    let is_theirs = |reason: &str| !is_of_may_write(reason) && reason != HANDSHAKE_NOT_OURS;
    is_refused && known.reason.as_deref().is_some_and(is_theirs) && known.check_time.is_some_and(is_recent)
}

fn is_same(told: &[Filter], wanted: &[Filter]) -> bool {
    wanted.iter().all(|one| told.contains(one)) && told.iter().all(|one| wanted.contains(one))
}

/// What is on its way to a replaced address is still taken for a while. One that never had a secret ends at
/// once.
async fn retire(tx: &mut TenantTx, endpoint: WebhookEndpointId, now: DateTime<Utc>) -> Result<()> {
    if store::webhook_endpoint::secrets(tx, &[endpoint], now).await?.is_empty() {
        return store::webhook_endpoint::disable(tx, endpoint, now).await;
    }
    store::webhook_endpoint::expire_secrets(tx, endpoint, now + LATE).await
}

fn with_health(row: Subscription, listed: &Listed) -> Subscription {
    Subscription {
        external_id: Some(listed.gid.clone()),
        state: SubscriptionState::Active,
        reason: None,
        check_time: Some(Utc::now()),
        provider_success_time: listed.last_success_at,
        provider_failure_time: listed.last_failure_at,
        provider_removal_time: listed.failure_deletion_time,
        ..row
    }
}

fn failed(row: Subscription, reason: &str) -> Subscription {
    Subscription {
        state: SubscriptionState::Failed,
        reason: Some(reason.into()),
        check_time: Some(Utc::now()),
        ..row
    }
}

async fn save(ground: &Ground<'_>, row: &Subscription) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::subscription::save(&mut tx, row).await?;
    tx.commit().await
}
