//! Asana's webhooks: one per project whose phases are read, and one for the workspace, which tells of
//! projects and nothing else.
//!
//! Asana calls the address while we still ask it to make the webhook, so what it needs is committed before,
//! and nothing is locked meanwhile (asana.md §6.3). Each attempt has an address of its own. What Asana
//! dropped, or somebody deleted, is made again and its project read, because what happened in between was
//! told to nobody.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, StreamExt, stream};
use secrecy::ExposeSecret;

use super::may_write;
use crate::{
    domain::{
        engine::{
            provider_call::AsanaFailure,
            reconcile,
            record::{Ground, Stop},
        },
        webhook,
    },
    error::Result,
    ids::WebhookEndpointId,
    provider::asana::{
        Action, CallError, CreatedSubscription, Filter, PROVIDER, ResourceKind, Subscription as Listed,
        SubscriptionWish,
    },
    store::{
        self, TenantTx, planning::settings::PlanningSettings, subscription::Subscription,
        webhook_endpoint::WebhookEndpoint,
    },
    words::{AbsenceSource, Presence, SignatureScheme, SubscriptionState},
};

mod calls;

pub(super) use calls::{as_any_providers, take_back};
use calls::{delete, list_ours, write};

/// For how long an address takes the secret. Asana's own time limit for our answer is 10 s.
const HANDSHAKE: TimeDelta = TimeDelta::seconds(60);
/// How long a replaced address still answers: what was on its way then arrives (asana.md §6.2).
const LATE: TimeDelta = TimeDelta::days(1);
/// Webhooks that are made at a time; a part of what may be under way at once.
const AT_ONCE: usize = 4;
/// Deliveries are not limited: who is refused for a day deletes the webhook.
const NO_LIMIT: i32 = 0;

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
    let round = Round { ground, workspace, listed, known };

    round.take_back_strays(&wanted).await?;
    // Boxed one by one: the compiler cannot tell that a stream of what borrows may be sent.
    let checks: Vec<_> = wanted.iter().map(|resource| round.check_one(resource).boxed()).collect();
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
        let changed = write(ground.domain, ground.tenant, ground.id(), move |way| async move {
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

    /// Makes a webhook at an address of its own. The row says how it ended. False: it was refused.
    async fn make(&self, resource: &Resource, known: Option<&Subscription>) -> Result<bool, Stop> {
        let (ground, now) = (self.ground, Utc::now());
        let (pending, target) = self.prepare(resource, known, now).await?;
        let wish =
            &SubscriptionWish { resource: resource.gid(), target: &target, filters: resource.filters() };
        let made = write(ground.domain, ground.tenant, ground.id(), move |way| async move {
            way.asana().create_webhook(wish).await
        });
        match made.await {
            Ok(created) => self.settle(pending, &created).await,
            Err(AsanaFailure::Call(CallError::Refused(refusal))) => {
                let mut tx = ground.domain.store.tenant(ground.tenant).await?;
                store::webhook_endpoint::disable(&mut tx, pending.webhook_endpoint_id, Utc::now()).await?;
                store::subscription::save(&mut tx, &failed(pending, refusal.reason())).await?;
                tx.commit().await?;
                Ok(false)
            }
            // Perhaps it was made all the same: then the next check finds it, and the address has the secret.
            Err(failure) => Err(failure.into()),
        }
    }

    /// Keeps an address that takes one secret, before anybody hears of it.
    async fn prepare(
        &self,
        resource: &Resource,
        known: Option<&Subscription>,
        now: DateTime<Utc>,
    ) -> Result<(Subscription, String)> {
        let ground = self.ground;
        let endpoint = webhook::new_endpoint(
            &ground.key,
            WebhookEndpointId::new(),
            (ground.id(), PROVIDER),
            resource.name(),
            (SignatureScheme::Asana, NO_LIMIT),
            now,
        )?;
        let endpoint = WebhookEndpoint { handshake_expire_time: Some(now + HANDSHAKE), ..endpoint };
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        store::webhook_endpoint::insert(&mut tx, &endpoint).await?;
        let fresh = Subscription::new(ground.id(), endpoint.id, resource.name(), now);
        let pending = match known {
            Some(known) => {
                retire(&mut tx, known.webhook_endpoint_id, now).await?;
                let row = Subscription { id: known.id, create_time: known.create_time, ..fresh };
                store::subscription::save(&mut tx, &row).await?;
                row
            }
            None => {
                store::subscription::insert(&mut tx, &fresh).await?;
                fresh
            }
        };
        let target = webhook::address(ground.domain, &ground.key, &endpoint)?;
        tx.commit().await?;
        Ok((pending, target))
    }

    /// Compares the secret that the address was told with the one that came with the answer (asana.md §6.3).
    async fn settle(&self, pending: Subscription, created: &CreatedSubscription) -> Result<bool, Stop> {
        let (ground, now) = (self.ground, Utc::now());
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        let endpoint = pending.webhook_endpoint_id;
        let told = store::webhook_endpoint::secrets(&mut tx, &[endpoint], now).await?;
        let is_same = match (told.is_empty(), &created.secret) {
            (true, _) => false,
            (false, None) => true,
            (false, Some(said)) => {
                let told = webhook::newest_secret(&mut tx, &ground.key, endpoint, now).await?;
                told.expose_secret() == said.expose_secret()
            }
        };
        if !is_same {
            // Somebody else's secret, or none: nothing that comes here could be believed.
            store::webhook_endpoint::disable(&mut tx, endpoint, now).await?;
            store::subscription::save(&mut tx, &failed(pending, "HANDSHAKE_NOT_OURS")).await?;
            tx.commit().await?;
            delete(ground.domain, ground.tenant, ground.id(), &created.subscription.gid).await?;
            return Ok(false);
        }
        store::subscription::save(&mut tx, &with_health(pending, &created.subscription)).await?;
        tx.commit().await?;
        Ok(true)
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
                delete(self.ground.domain, self.ground.tenant, self.ground.id(), &listed.gid).await?;
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
