//! How an integration is doing, for a dashboard.
//! Numbers and codes, nobody's data: whoever may see the integration may see this.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Domain, Integration, IntegrationId, Result};
use crate::{
    caller::Caller,
    domain::{consent, engine::reconcile, planning::sync},
    ids::WebhookEndpointId,
    provider::catalog::{self, Adapter},
    store::{
        self, TenantTx,
        event_type::EventType,
        integration_flow::Flow,
        integration_health::{Ages, Runs, Waiting},
        planning::{
            health::{self, PlanningHealth},
            project, project_cursor, reading,
            settings::{self, AreaMapping, PlanningSettings},
        },
        subscription::Subscription,
        sync_log::SyncLog,
    },
};

/// How far back runs are added up.
const RUNS_BACK: TimeDelta = TimeDelta::days(30);
/// How far back the age of changes is looked at.
const CHANGES_BACK: TimeDelta = TimeDelta::days(1);

/// An integration and how it is doing.
#[derive(Debug, Clone)]
pub struct Status {
    pub integration: Integration,
    /// No consent is needed, or one lives.
    pub may_flow: bool,
    /// Runs of the last 30 days.
    pub runs: Runs,
    /// How old the provider's changes of the last 24 hours were when they took effect here.
    pub ages: Ages,
    pub waiting: Waiting,
    /// When anything authentic last arrived.
    pub last_delivery_time: Option<DateTime<Utc>>,
    /// Up to where the provider's changes were read.
    pub reconciled_time: Option<DateTime<Utc>>,
    pub subscriptions: Vec<Subscription>,
    /// When anything authentic last arrived at their endpoints.
    pub deliveries: HashMap<WebhookEndpointId, DateTime<Utc>>,
    /// Archived ones, too.
    pub event_types: Vec<EventType>,
    /// Budget, pause and breaker; absent for providers that are not asked.
    pub flow: Option<Flow>,
    /// The run that was begun last; it may be under way.
    /// Its errors name the event types that another tenant has.
    pub newest_run: Option<SyncLog>,
    /// When the access token runs out; absent for what does not.
    pub credential_expire_time: Option<DateTime<Utc>>,
    /// Only of a planning tool.
    pub planning: Option<Planning>,
}

/// What is read of a planning tool.
#[derive(Debug, Clone)]
pub struct Planning {
    pub settings: Option<PlanningSettings>,
    pub areas: Vec<AreaMapping>,
    pub health: PlanningHealth,
    /// A mapped field that no project has any more, a code.
    pub lost_field: Option<&'static str>,
    pub last_absences_time: Option<DateTime<Utc>>,
    pub last_time_entries_time: Option<DateTime<Utc>>,
    /// Users who are somebody here, and who are not.
    pub mapped_users: i64,
    pub unmapped_users: i64,
    pub projects: i64,
    pub phases: i64,
    pub oldest_poll_time: Option<DateTime<Utc>>,
}

/// How an integration is doing. Errors: `NotFound`.
pub async fn status(
    domain: &Domain,
    caller: &Caller,
    id: IntegrationId,
    now: DateTime<Utc>,
) -> Result<Status> {
    // The policies of queue, reviews and appointments leave out some who may see the numbers.
    let integration = super::get(domain, caller, id).await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let subscriptions = store::subscription::of_integration(&mut tx, id).await?;
    let is_planning = catalog::adapter(&integration.provider) == Adapter::Asana;
    let read_noun = if is_planning { sync::NOUN } else { reconcile::NOUN };
    let ages = if is_planning {
        store::integration_health::planning_ages(&mut tx, id, now - CHANGES_BACK).await?
    } else {
        store::integration_health::ages(&mut tx, id, now - CHANGES_BACK).await?
    };
    let credential = store::credential::find(&mut tx, id).await?;
    let status = Status {
        credential_expire_time: credential.and_then(|credential| credential.expire_time),
        planning: if is_planning { Some(planning(&mut tx, id).await?) } else { None },
        may_flow: consent::opens(&mut tx, &integration).await?,
        integration,
        runs: store::integration_health::runs(&mut tx, id, now - RUNS_BACK).await?,
        ages,
        waiting: store::integration_health::waiting(&mut tx, id).await?,
        last_delivery_time: store::integration::last_delivery_time(&mut tx, id).await?,
        reconciled_time: store::sync_log::watermark(&mut tx, id, read_noun).await?,
        deliveries: deliveries(&mut tx, &subscriptions).await?,
        subscriptions,
        event_types: store::event_type::of_integration(&mut tx, id).await?,
        flow: store::integration_flow::find(&mut tx, id).await?,
        newest_run: store::sync_log::newest_of(&mut tx, id).await?,
    };
    tx.end_reading();
    Ok(status)
}

/// When anything last arrived by each subscription.
async fn deliveries(
    tx: &mut TenantTx,
    subscriptions: &[Subscription],
) -> Result<HashMap<WebhookEndpointId, DateTime<Utc>>> {
    let endpoints: Vec<_> = subscriptions.iter().map(|one| one.webhook_endpoint_id).collect();
    let times = store::webhook_endpoint::last_deliveries(tx, &endpoints).await?;
    Ok(times.into_iter().filter_map(|(endpoint, time)| Some((endpoint, time?))).collect())
}

async fn planning(tx: &mut TenantTx, id: IntegrationId) -> Result<Planning> {
    let settings = settings::find(tx, id).await?;
    let areas = settings::area_mappings(tx, id).await?;
    let (mapped_users, unmapped_users) = reading::count_users(tx, id).await?;
    let readable = project_cursor::readable(tx, id).await?;
    let standing = project::fields(tx, id).await?;
    Ok(Planning {
        lost_field: settings.as_ref().and_then(|settings| standing.lost(settings)),
        settings,
        areas,
        health: health::find(tx, id).await?,
        last_absences_time: store::sync_log::watermark(tx, id, sync::ABSENCES).await?,
        last_time_entries_time: store::sync_log::watermark(tx, id, sync::TIME_ENTRIES).await?,
        mapped_users,
        unmapped_users,
        projects: i64::try_from(readable.len()).unwrap_or(i64::MAX),
        phases: reading::count_phases(tx, id).await?,
        oldest_poll_time: project_cursor::oldest_poll_time(tx, id).await?,
    })
}
