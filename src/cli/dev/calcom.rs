//! The demo tenant's Cal.com: the sandbox's double. It forgets everything when it ends, so each start links a
//! fresh account and ends the link with the one before; what was booked through that one stays here.

use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use tokio::{net::TcpListener, time};

use super::demo::Demo;
use crate::{
    caller::Caller,
    cli::Failure,
    domain::{
        Domain, appointment,
        idempotency::Key,
        integration::{self, NewIntegration},
    },
    error::Result,
    ids::{IntegrationId, PractitionerId, ServiceId},
    page::{MAX_SIZE, Page},
    sandbox::calcom::{self, Calcom, Settings},
    store,
    words::{IntegrationState, SyncState},
};

/// How long a start waits for the first run, which takes well under a second.
const FIRST_RUN_WITHIN: Duration = Duration::from_secs(10);
/// How far ahead a free time is looked for.
const LOOK_DAYS: u64 = 14;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Attendees who have booked before the demo begins.
const INVENTED: u64 = 3;

/// The double, and what is needed to book there from here.
pub(super) struct DemoCalcom {
    pub(super) double: Calcom,
    demo: calcom::Demo,
}

/// What the printed commands name.
pub(super) struct Bookable {
    pub(super) practitioner: PractitionerId,
    pub(super) service: ServiceId,
    /// A free time.
    pub(super) start: DateTime<Utc>,
}

impl DemoCalcom {
    /// Starts the double with a practice to play with.
    pub(super) async fn start(listener: TcpListener) -> Result<Self, Failure> {
        // Other ids than last time: what is remembered of the old ones must not meet new ones.
        let settings = Settings { id_offset: Utc::now().timestamp() % 1_000_000_000, ..Settings::default() };
        let double = Calcom::start_on(listener, settings).map_err(|error| Failure::refused(&error))?;
        let demo = double.add_demo().map_err(|error| Failure::failed(&error))?;
        for seed in 0..INVENTED {
            let invented = double.invent_booking(demo.consultation, seed).await;
            invented.map_err(|error| Failure::failed(&error))?;
        }
        Ok(Self { double, demo })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.double.url()
    }

    /// Links the demo tenant with it.
    pub(super) async fn connect(&self, domain: &Domain, demo: &Demo) -> Result<IntegrationId, Failure> {
        let (caller, now) = (Caller::system(demo.tenant_id), Utc::now());
        let page = Page { size: MAX_SIZE.into(), after: None };
        for old in integration::list(domain, &caller, Some(integration::CALCOM), &page).await?.rows {
            if matches!(old.state, IntegrationState::Connected | IntegrationState::NeedsReconnect) {
                let unrepeated = Key::new("DisconnectIntegration", "", b"");
                integration::disconnect(domain, &caller, &unrepeated, old.id, now).await?;
            }
        }
        let new = NewIntegration {
            provider: integration::CALCOM.into(),
            read_only: false,
            name: "Cal.com (sandbox)".into(),
            api_key: self.demo.user.api_key.clone().into(),
            instance_url: Some(format!("{}/v2", self.double.url())),
            requests_per_minute: None,
        };
        let unrepeated = Key::new("CreateIntegration", "", b"");
        Ok(integration::create(domain, &caller, &unrepeated, new, now).await?.id)
    }

    /// What the first run took over; nothing if it did not end in time.
    pub(super) async fn bookable(
        &self,
        domain: &Domain,
        demo: &Demo,
        integration: IntegrationId,
    ) -> Result<Option<Bookable>> {
        let deadline = time::Instant::now() + FIRST_RUN_WITHIN;
        while time::Instant::now() < deadline {
            let mut tx = domain.store.tenant(demo.tenant_id).await?;
            let page = Page { size: 1, after: None };
            let filter = store::sync_log::Filter {
                integration: Some(integration),
                ..store::sync_log::Filter::default()
            };
            let run = store::sync_log::list(&mut tx, &filter, &page).await?.rows.pop();
            let types = store::event_type::of_integration(&mut tx, integration).await?;
            tx.end_reading();
            let consultation = self.demo.consultation.to_string();
            let found = types.into_iter().find(|one| one.external_id == consultation);
            let is_over = run.is_some_and(|run| !matches!(run.state, SyncState::Queued | SyncState::Running));
            if is_over
                && let Some((Some(practitioner), Some(service))) =
                    found.map(|found| (found.practitioner_id, found.service_id))
            {
                let (caller, from) = (Caller::system(demo.tenant_id), Utc::now() + Days::new(1));
                let slots = appointment::free_slots(
                    domain,
                    &caller,
                    service,
                    practitioner,
                    from,
                    from + Days::new(LOOK_DAYS),
                    Utc::now(),
                );
                let first = slots.await?.into_iter().next();
                return Ok(first.map(|slot| Bookable { practitioner, service, start: slot.start }));
            }
            time::sleep(LOOK_EVERY).await;
        }
        Ok(None)
    }
}
