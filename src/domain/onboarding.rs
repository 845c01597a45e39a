//! From a planning tool that was just connected to one that is in step: its workspace, its fields, its first
//! run, its webhooks.
//!
//! Every step may be repeated. What is asked of the provider is asked before anything is written.

use std::{sync::Arc, time::Duration};

use super::{
    Domain, consent,
    engine::provider_call::{self, HeldPlace, Urgency, Way},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{IntegrationId, TenantId},
    page::{Page, Paged},
    provider::asana,
    store::{
        self,
        integration::Integration,
        planning::settings::{AreaMapping, PlanningSettings},
        sync_log::SyncLog,
    },
    words::{IntegrationState, Role, SubscriptionState},
};

mod fields;
mod mapping;
mod preview;
mod progress;
mod start;
pub mod suggest;
mod workspace;

pub use fields::{Found, Hint, Shown as ShownField, kind};
pub use mapping::{Absences, Checked, NewMapping, save as save_mapping};
pub use preview::{Loss, Phase, Preview, Sum, TASKS, TASKS_AT_MOST, preview};
pub use progress::{Status, Step, StepState};
pub use start::{activate_webhooks, start_initial_sync};
pub use workspace::{Shown as ShownWorkspace, list as workspaces, select as select_workspace};

/// How far an integration is.
#[derive(Debug, Clone)]
pub struct Onboarding {
    pub integration: IntegrationId,
    pub steps: [Status; 5],
    pub next: Step,
    /// Why that is next, a code.
    pub reason: String,
    /// Absent while nothing was chosen.
    pub settings: Option<PlanningSettings>,
    pub areas: Vec<AreaMapping>,
    pub newest_run: Option<SyncLog>,
    pub webhooks: usize,
    pub active_webhooks: usize,
}

/// A page of a workspace's custom fields, and what stands in the way.
#[derive(Debug)]
pub struct FieldPage {
    pub paged: Paged<ShownField, String>,
    pub hint: Option<Hint>,
    /// What the options of the mapped field mean.
    pub areas: Vec<AreaMapping>,
}

/// Whose onboarding it is. Who may see it was decided by the caller's own rights; what follows is done in the
/// server's name, because callers have no way to credentials and budgets.
struct Ground<'a> {
    domain: &'a Domain,
    tenant: TenantId,
    id: IntegrationId,
    held: HeldPlace,
}

/// How long somebody waits for the budget before being told when to come again; less than any rpc may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How far an integration is. The provider is not asked. Errors: `NotFound`, `Invalid` (a provider without an
/// onboarding).
pub async fn get(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<Onboarding> {
    let integration = seen(domain, caller, id).await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let settings = store::planning::settings::find(&mut tx, id).await?;
    let areas = store::planning::settings::area_mappings(&mut tx, id).await?;
    let subscriptions = store::subscription::of_integration(&mut tx, id).await?;
    let newest_run = store::sync_log::newest_of_everything(&mut tx, id).await?;
    let may_flow = consent::opens(&mut tx, &integration).await?;
    let fields = store::planning::project::fields(&mut tx, id).await?;
    tx.end_reading();
    let steps = progress::steps(&progress::Facts {
        integration: &integration,
        settings: settings.as_ref(),
        lost_field: settings.as_ref().and_then(|settings| fields.lost(settings)),
        may_flow,
        newest_run: newest_run.as_ref(),
        subscriptions: &subscriptions,
    });
    let (next, reason) = progress::next(&steps);
    let active = subscriptions.iter().filter(|one| one.state == SubscriptionState::Active).count();
    Ok(Onboarding {
        integration: id,
        steps,
        next,
        reason,
        settings,
        areas,
        newest_run,
        webhooks: subscriptions.len(),
        active_webhooks: active,
    })
}

/// A page of the custom fields that the workspace's tasks can have.
///
/// Errors: `NotFound`, `Invalid`, `WorkspaceNotSelected`, as of asking the provider.
pub async fn custom_fields(
    domain: &Domain,
    caller: &Caller,
    id: IntegrationId,
    page: &Page<String>,
) -> Result<FieldPage> {
    let ground = Ground::of_reading(domain, caller, id).await?;
    let (workspace, settings) = ground.workspace().await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let areas = store::planning::settings::area_mappings(&mut tx, id).await?;
    tx.end_reading();
    let found = Found::read(&ground, &workspace).await?;
    let mapped = [
        (settings.area_field_id, suggest::FieldRole::Area),
        (settings.hours_field_id, suggest::FieldRole::Hours),
    ];
    let mapped = mapped.into_iter().filter_map(|(gid, role)| Some((gid?, role))).collect();
    let hint = found.hint();
    Ok(FieldPage { paged: found.page(&mapped, page), hint, areas })
}

impl<'a> Ground<'a> {
    /// For who may see the integration. Errors: `NotFound`, `Invalid`, `IntegrationState`.
    async fn of_reading(domain: &'a Domain, caller: &Caller, id: IntegrationId) -> Result<Self> {
        let integration = seen(domain, caller, id).await?;
        Self::of(domain, caller, &integration)
    }

    /// For who may change it. Errors: as above, `RoleNotAllowed`.
    async fn of_change(domain: &'a Domain, caller: &Caller, id: IntegrationId) -> Result<Self> {
        // As the policy of the table says.
        if !matches!(caller.role, Role::Admin | Role::Hr | Role::Service | Role::System) {
            return Err(Error::RoleNotAllowed(caller.role));
        }
        Self::of_reading(domain, caller, id).await
    }

    fn of(domain: &'a Domain, caller: &Caller, integration: &Integration) -> Result<Self> {
        match integration.state {
            IntegrationState::Connected => {
                let held = HeldPlace::lasting(PATIENCE);
                Ok(Self { domain, tenant: caller.tenant, id: integration.id, held })
            }
            state => Err(Error::IntegrationState(state)),
        }
    }

    /// The chosen workspace. Errors: `WorkspaceNotSelected`.
    async fn workspace(&self) -> Result<(String, PlanningSettings)> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let settings = store::planning::settings::find(&mut tx, self.id).await?;
        tx.end_reading();
        let settings = settings.ok_or(Error::WorkspaceNotSelected)?;
        let workspace = settings.workspace_id.clone().ok_or(Error::WorkspaceNotSelected)?;
        Ok((workspace, settings))
    }

    /// Asks the provider once, on behalf of somebody who waits: who would have to ask for everything again if the
    /// budget was not waited for here.
    async fn ask<T, F: Future<Output = Result<T, asana::CallError>>>(
        &self,
        call: impl Fn(Arc<Way>) -> F,
    ) -> Result<T> {
        loop {
            match provider_call::asana(self.domain, self.tenant, self.id, Urgency::Person, &call).await {
                Err(failure) => self.held.wait(failure).await?,
                Ok(answer) => return Ok(answer),
            }
        }
    }
}

/// The integration, if the caller may see it and it has an onboarding.
async fn seen(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<Integration> {
    let found = super::integration::get(domain, caller, id).await?;
    if found.provider != asana::PROVIDER {
        return Err(Error::invalid("integration_id", "must be of a planning tool"));
    }
    Ok(found)
}
