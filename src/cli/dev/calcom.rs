//! The demo tenant's Cal.com: the sandbox's double, whose practice is kept in the data folder. A link with it
//! that is there is gone on with.

use std::path::Path;

use chrono::{DateTime, Days, Utc};
use tokio::net::TcpListener;

use super::{
    demo::Demo,
    link::{self, unrepeated},
};
use crate::{
    caller::Caller,
    cli::Failure,
    domain::{
        Domain, appointment,
        integration::{self, Changes, NewIntegration},
    },
    error::Result,
    ids::{IntegrationId, PractitionerId, ServiceId},
    provider::calcom::PROVIDER,
    sandbox::calcom::{self, Calcom, Settings},
    store::{self, integration::Integration},
    words::IntegrationState,
};

/// How far ahead a free time is looked for.
const LOOK_DAYS: u64 = 14;
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
    /// Starts the double with the practice that was kept, or else a new one to play with.
    pub(super) async fn start(listener: TcpListener, data_dir: &Path) -> Result<Self, Failure> {
        let settings = Settings {
            // Other ids than those of a practice that is gone: what is remembered of it must not meet new ones.
            id_offset: Utc::now().timestamp() % 1_000_000_000,
            kept_in: Some(data_dir.join("sandbox/calcom.json")),
            ..Settings::default()
        };
        let double = Calcom::start_on(listener, settings).map_err(|error| Failure::refused(&error))?;
        let demo = match double.demo() {
            Some(demo) => demo,
            None => open_practice(&double).await?,
        };
        Ok(Self { double, demo })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.double.url()
    }

    /// Links the demo tenant with it, if it is not linked already.
    pub(super) async fn connect(&self, domain: &Domain, demo: &Demo) -> Result<IntegrationId, Failure> {
        let (caller, account) = (Caller::system(demo.tenant_id), self.demo.user.id.to_string());
        if let Some(link) = link::find(domain, &caller, PROVIDER, &account).await? {
            return self.go_on_with(domain, &caller, link).await;
        }
        let new = NewIntegration {
            provider: PROVIDER.into(),
            read_only: false,
            name: "Cal.com (sandbox)".into(),
            api_key: self.new_key()?.into(),
            instance_url: Some(self.instance()),
            requests_per_minute: None,
        };
        let key = unrepeated("CreateIntegration");
        Ok(integration::create(domain, &caller, &key, new, Utc::now()).await?.id)
    }

    async fn go_on_with(
        &self,
        domain: &Domain,
        caller: &Caller,
        link: Integration,
    ) -> Result<IntegrationId, Failure> {
        let (was, is) = (link.instance_url.unwrap_or_default(), self.instance());
        if was != is {
            return Err(Failure::refused_because(format!(
                "it was linked at {was}, and the double is at {is} now: give it its old address \
                 (--sandbox-calcom-address), or begin with another data folder"
            )));
        }
        if link.state == IntegrationState::NeedsReconnect {
            let changes = Changes { api_key: Some(self.new_key()?.into()), ..Changes::default() };
            let key = unrepeated("UpdateIntegration");
            integration::update(domain, caller, &key, link.id, changes, Utc::now()).await?;
        }
        link::catch_up(domain, caller, link.id).await?;
        Ok(link.id)
    }

    fn instance(&self) -> String {
        format!("{}/v2", self.double.url())
    }

    fn new_key(&self) -> Result<String, Failure> {
        self.double.add_key(self.demo.user.id).map_err(|error| Failure::failed(&error))
    }

    /// What the run that a start begins took over; nothing if it did not end in time.
    pub(super) async fn bookable(
        &self,
        domain: &Domain,
        demo: &Demo,
        integration: IntegrationId,
    ) -> Result<Option<Bookable>> {
        let caller = Caller::system(demo.tenant_id);
        if !link::has_run(domain, &caller, integration).await? {
            return Ok(None);
        }
        let mut tx = domain.store.tenant(demo.tenant_id).await?;
        let types = store::event_type::of_integration(&mut tx, integration).await?;
        tx.end_reading();
        let consultation = self.demo.consultation.to_string();
        let found = types.into_iter().find(|one| one.external_id == consultation);
        let Some((Some(practitioner), Some(service))) =
            found.map(|found| (found.practitioner_id, found.service_id))
        else {
            return Ok(None);
        };
        let from = Utc::now() + Days::new(1);
        let to = from + Days::new(LOOK_DAYS);
        let slots =
            appointment::free_slots(domain, &caller, service, practitioner, from, to, Utc::now()).await?;
        Ok(slots.into_iter().next().map(|slot| Bookable { practitioner, service, start: slot.start }))
    }
}

/// With a few attendees who have booked.
async fn open_practice(double: &Calcom) -> Result<calcom::Demo, Failure> {
    let demo = double.add_demo().map_err(|error| Failure::failed(&error))?;
    for seed in 0..INVENTED {
        let invented = double.invent_booking(demo.consultation, seed).await;
        invented.map_err(|error| Failure::failed(&error))?;
    }
    double.keep().map_err(|error| Failure::refused(&error))?;
    Ok(demo)
}
