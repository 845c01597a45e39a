//! What an integration's settings make of the tool's tasks, and the other way round.

use chrono_tz::Tz;
use rust_decimal::Decimal;

use crate::{
    error::Result,
    ids::IntegrationId,
    provider::asana::{FieldContent, Task},
    store::{
        self, TenantTx,
        planning::{
            phase::PhaseFields,
            settings::{AreaMapping, PlanningSettings},
        },
    },
    words::Area,
};

/// More hours than a phase can have; the row has room for fewer than this.
const TOO_MANY_HOURS: Decimal = Decimal::from_parts(100_000_000, 0, 0, false, 0);

/// What an integration's settings make of tasks.
#[derive(Debug, Clone)]
pub struct Lens {
    pub settings: PlanningSettings,
    /// What the options of the area field mean, by name.
    pub options: Vec<AreaMapping>,
    /// The tenant's: a due time is a day in it.
    pub zone: Tz,
}

impl Lens {
    /// Errors: `NotFound` before the onboarding has begun.
    pub async fn of(tx: &mut TenantTx, integration: IntegrationId) -> Result<Self> {
        let settings = store::planning::settings::require(tx, integration).await?;
        let options = store::planning::settings::area_mappings(tx, integration).await?;
        let tenant = store::tenant::current(tx).await?;
        Ok(Self { settings, options, zone: tenant.time_zone.parse().unwrap_or(Tz::UTC) })
    }

    /// What a task has in the fields that both sides change, in their normal form. What it does not tell, or tells unreadably, stays as
    /// it was `known`: a plan without custom fields hides them, it does not clear them.
    pub fn fields(&self, task: &Task, known: &PhaseFields) -> PhaseFields {
        let fields = PhaseFields {
            start_date: task.start_date(self.zone),
            due_date: task.due_date(self.zone),
            planned_hours: self.hours(task, known.planned_hours),
            area: self.area(task, known.area),
        };
        fields.normalize(self.settings.hours_precision)
    }

    fn hours(&self, task: &Task, known: Option<Decimal>) -> Option<Decimal> {
        let field = self.settings.hours_field_id.as_deref()?;
        if task.custom_fields.is_none() {
            return known;
        }
        match task.field(field)?.content {
            FieldContent::Number(hours) => {
                hours.filter(|hours| (Decimal::ZERO..TOO_MANY_HOURS).contains(hours))
            }
            FieldContent::Enum(_) | FieldContent::Unreadable | FieldContent::Other(_) => known,
        }
    }

    fn area(&self, task: &Task, known: Option<Area>) -> Option<Area> {
        let field = self.settings.area_field_id.as_deref()?;
        if task.custom_fields.is_none() {
            return known;
        }
        match &task.field(field)?.content {
            FieldContent::Enum(chosen) => chosen.as_ref().and_then(|option| self.meaning(&option.gid)),
            FieldContent::Number(_) | FieldContent::Unreadable | FieldContent::Other(_) => known,
        }
    }

    /// The option that a task has in the area field, one that is ignored too.
    pub fn area_option(&self, task: &Task) -> Option<String> {
        let field = self.settings.area_field_id.as_deref()?;
        task.option(field).map(Into::into)
    }

    /// What an option means; nothing if it is ignored or was never seen.
    pub fn meaning(&self, option: &str) -> Option<Area> {
        self.options.iter().find(|known| known.option_id == option)?.area
    }

    /// An option that can be chosen and means this area.
    pub fn option_for(&self, area: Area) -> Option<&str> {
        let fits = |option: &&AreaMapping| option.is_enabled && option.area == Some(area);
        self.options.iter().find(fits).map(|option| option.option_id.as_str())
    }
}
