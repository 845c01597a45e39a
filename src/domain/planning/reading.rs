//! What an integration's settings make of the tool's tasks, and the other way round.

use super::sync::{Dictionary, dictionary_for};
use crate::{
    error::Result,
    ids::IntegrationId,
    provider::asana::Task,
    store::{
        self, TenantTx,
        planning::settings::{AreaMapping, PlanningSettings},
    },
    words::Area,
};

/// What an integration's settings make of tasks.
pub(super) struct Lens {
    pub(super) settings: PlanningSettings,
    /// What the options of the area field mean, by name.
    pub(super) options: Vec<AreaMapping>,
    pub(super) dictionary: Dictionary,
}

impl Lens {
    /// For this task. Errors: `NotFound` before the onboarding has begun.
    pub(super) async fn of(tx: &mut TenantTx, integration: IntegrationId, task: &Task) -> Result<Self> {
        let settings = store::planning::settings::require(tx, integration).await?;
        let options = store::planning::settings::area_mappings(tx, integration).await?;
        let dictionary = dictionary_for(tx, &settings, &options, task).await?;
        Ok(Self { settings, options, dictionary })
    }

    /// An option that can be chosen and means this area.
    pub(super) fn option_for(&self, area: Area) -> Option<&str> {
        let fits = |option: &&AreaMapping| option.is_enabled && option.area == Some(area);
        self.options.iter().find(fits).map(|option| option.option_id.as_str())
    }
}
