//! The demo tenant's Asana: the sandbox's double. It forgets everything when it ends, so each start links a
//! fresh account, as an admin would by hand: consent, workspace, fields, first run, webhooks.

use std::{net::SocketAddr, time::Duration};

use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpListener, time};

use super::demo::Demo;
use crate::{
    caller::Caller,
    cli::Failure,
    config::Config,
    domain::{
        Domain, access,
        authorization::{self, Start},
        engine::reconcile,
        idempotency::Key,
        integration,
        onboarding::{self, Absences, NewMapping, suggest},
        planning::user_mapping,
    },
    error::Result,
    ids::{IntegrationId, PhaseId},
    page::{MAX_SIZE, Page},
    provider::deployment::ReturnUrl,
    sandbox::asana::{self, Asana, Client, Settings},
    store::{self, planning::user::Filter, practitioner::PractitionerFields},
    words::{AbsenceSource, IntegrationState, Plan, SyncState},
};

const APP: &str = "stellwerk-dev";
/// How long a start waits for the first run, which takes a second or two.
const FIRST_RUN_WITHIN: Duration = Duration::from_secs(20);
/// Likewise for its webhooks.
const WEBHOOKS_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The double, and who is at its board.
pub(super) struct DemoAsana {
    pub(super) double: Asana,
    demo: asana::Demo,
}

/// What the printed commands name.
pub(super) struct Planned {
    pub(super) phase: PhaseId,
    /// The same one at the board.
    pub(super) task: String,
    pub(super) start: NaiveDate,
    pub(super) due: NaiveDate,
}

impl DemoAsana {
    /// Starts the double with an office to play with, and says in the configuration where it is and who we
    /// are to it. `http` is where browsers come back to.
    pub(super) fn start(
        listener: TcpListener,
        http: SocketAddr,
        config: &mut Config,
    ) -> Result<Self, Failure> {
        // Other ids than last time: what is remembered of the old ones must not meet new ones.
        let gid_offset = u64::try_from(Utc::now().timestamp() % 1_000_000_000).unwrap_or_default() * 1000;
        let settings = Settings { gid_offset, ..Settings::default() };
        let double = Asana::start_on(listener, settings).map_err(|error| Failure::refused(&error))?;
        let back = format!("http://{http}/api/auth/asana/callback");
        let client = Client::invented(APP, vec![back.clone()]);
        let providers = &mut config.callers.providers;
        for (name, value) in [
            ("ASANA_CLIENT_ID", APP.to_owned()),
            ("ASANA_CLIENT_SECRET", client.secret.clone()),
            ("ASANA_REDIRECT_URI", back),
            ("STELLWERK_ASANA_URL", double.url()),
        ] {
            providers.provider_settings.push((name.into(), value.into()));
        }
        let home: ReturnUrl = format!("{}/", double.url()).parse().map_err(Failure::refused_because)?;
        providers.return_urls.push(home);
        let demo = double.add_demo(client).map_err(|error| Failure::failed(&error))?;
        Ok(Self { double, demo })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.double.url()
    }

    /// Links the demo tenant with it, all the way to webhooks.
    pub(super) async fn connect(&self, domain: &Domain, demo: &Demo) -> Result<Option<Planned>, Failure> {
        let caller = Caller::system(demo.tenant_id);
        self.end_old_links(domain, &caller).await?;
        let id = self.dance(domain, &caller).await?;
        let workspace = self.demo.workspace.to_string();
        let (choice, now) = ((workspace.as_str(), Some(Plan::Paid)), Utc::now());
        onboarding::select_workspace(domain, &caller, &unrepeated("SelectWorkspace"), id, choice, now)
            .await?;
        let mapping = suggested(domain, &caller, id).await?;
        onboarding::save_mapping(domain, &caller, &unrepeated("SaveFieldMapping"), id, mapping, Utc::now())
            .await?;
        onboarding::start_initial_sync(domain, &caller, &unrepeated("StartInitialSync"), id, Utc::now())
            .await?;
        if !has_run(domain, demo, id).await? {
            return Ok(None);
        }
        introduce(domain, &caller, id).await?;
        onboarding::activate_webhooks(domain, &caller, &unrepeated("ActivateWebhooks"), id, Utc::now())
            .await?;
        self.hears(domain, &caller, id).await?;
        Ok(self.planned(domain, demo, id).await?)
    }

    /// Waits for the webhooks of the workspace and of every project, so that no change at the board is
    /// missed; without them in time, the poll finds it.
    async fn hears(&self, domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<()> {
        let deadline = time::Instant::now() + WEBHOOKS_WITHIN;
        while time::Instant::now() < deadline {
            if onboarding::get(domain, caller, id).await?.active_webhooks > self.demo.projects.len() {
                break;
            }
            time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn end_old_links(&self, domain: &Domain, caller: &Caller) -> Result<()> {
        let page = Page { size: MAX_SIZE.into(), after: None };
        for old in integration::list(domain, caller, Some(onboarding::ASANA), &page).await?.rows {
            if matches!(old.state, IntegrationState::Connected | IntegrationState::NeedsReconnect) {
                let key = unrepeated("DisconnectIntegration");
                integration::disconnect(domain, caller, &key, old.id, Utc::now()).await?;
            }
        }
        Ok(())
    }

    /// StartAuthorization, the consent page, the way back, CompleteAuthorization.
    async fn dance(&self, domain: &Domain, caller: &Caller) -> Result<IntegrationId, Failure> {
        let start = Start {
            provider: onboarding::ASANA.into(),
            name: "Asana (sandbox)".into(),
            return_url: format!("{}/", self.double.url()),
            ..Start::default()
        };
        let key = unrepeated("StartAuthorization");
        let started = authorization::start(domain, caller, &key, start, Utc::now()).await?;
        let user = self.demo.users.first().copied().unwrap_or_default();
        let home = self.double.person(user).allow(started.url.expose_secret()).await;
        let home = home.map_err(|error| Failure::failed(&error))?;
        let told =
            |name: &str| home.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let Some(code) = told("completion_code") else {
            let reason = told("reason").unwrap_or_default();
            return Err(Failure::refused_because(format!("the way back brought no code but {reason:?}")));
        };
        let key = unrepeated("CompleteAuthorization");
        Ok(authorization::complete(domain, caller, &key, &SecretString::from(code), Utc::now()).await?.id)
    }

    /// A phase to change, here and there.
    async fn planned(&self, domain: &Domain, demo: &Demo, id: IntegrationId) -> Result<Option<Planned>> {
        let Some(task) = self.demo.tasks.last().and_then(|gid| self.double.task(*gid)) else {
            return Ok(None);
        };
        let mut tx = domain.store.tenant(demo.tenant_id).await?;
        let external_id = task.gid.to_string();
        let phase = store::planning::phase::find_by_external_id_for_update(&mut tx, id, &external_id).await?;
        tx.end_reading();
        let found =
            phase.and_then(|phase| Some((phase.id, phase.fields.start_date?, phase.fields.due_date?)));
        Ok(found.map(|(phase, start, due)| Planned { phase, task: external_id, start, due }))
    }
}

/// The fields whose names and types fit best, and each option that is named like an area.
async fn suggested(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<NewMapping, Failure> {
    let page = Page { size: MAX_SIZE.into(), after: None };
    let fields = onboarding::custom_fields(domain, caller, id, &page).await?.paged.rows;
    let best = |role| {
        fields.iter().find(|shown| {
            shown.is_best && shown.suggestion.as_ref().is_some_and(|suggestion| suggestion.role == role)
        })
    };
    let Some(area) = best(suggest::FieldRole::Area) else {
        return Err(Failure::refused_because("no field is suggested for the area"));
    };
    let named = |name: &Option<String>| name.as_deref().and_then(suggest::area);
    let options = area.field.options.iter().map(|option| (option.gid.clone(), named(&option.name)));
    Ok(NewMapping {
        area_field: area.field.gid.clone(),
        options: options.collect(),
        hours_field: best(suggest::FieldRole::Hours).map(|shown| shown.field.gid.clone()),
        absences: Absences { source: AbsenceSource::OutOfOffice, project: None, kind_field: None },
    })
}

/// Says who one of the board's people is, as an admin would: the absences of those who are nobody here are
/// not read.
async fn introduce(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<()> {
    let filter = Filter { integration: Some(id), unmapped_only: true };
    let page = Page { size: 1, after: None };
    let Some(one) = user_mapping::list(domain, caller, &filter, &page).await?.rows.pop() else {
        return Ok(());
    };
    let now = Utc::now();
    let practitioner = match one.suggestion {
        // From an earlier start.
        Some((known, _)) => known,
        None => {
            let fields = PractitionerFields { name: one.user.name, ..PractitionerFields::default() };
            let key = unrepeated("PutPractitioner");
            access::put_practitioner(domain, caller, &key, None, fields, now).await?.id
        }
    };
    let key = unrepeated("SetUserMapping");
    user_mapping::set(domain, caller, &key, one.user.id, Some(practitioner), now).await?;
    // Else they would come with the next full hour.
    let mut tx = domain.store.caller(caller).await?;
    reconcile::queue_absences(&mut tx, id, &caller.subject, now).await?;
    tx.commit().await
}

/// Whether the first run ended in time.
async fn has_run(domain: &Domain, demo: &Demo, id: IntegrationId) -> Result<bool> {
    let deadline = time::Instant::now() + FIRST_RUN_WITHIN;
    while time::Instant::now() < deadline {
        let mut tx = domain.store.tenant(demo.tenant_id).await?;
        let page = Page { size: 1, after: None };
        let filter = store::sync_log::Filter { integration: Some(id), ..store::sync_log::Filter::default() };
        let run = store::sync_log::list(&mut tx, &filter, &page).await?.rows.pop();
        tx.end_reading();
        if run.is_some_and(|run| !matches!(run.state, SyncState::Queued | SyncState::Running)) {
            return Ok(true);
        }
        time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

fn unrepeated(rpc: &'static str) -> Key {
    Key::new(rpc, "", b"")
}
