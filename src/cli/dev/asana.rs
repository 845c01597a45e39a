//! The demo tenant's Asana: the sandbox's double, whose office is kept in the data folder. It is linked as an
//! admin would do it by hand: consent, workspace, fields, first run, webhooks. A link that is there is gone
//! on with.

use std::{net::SocketAddr, time::Duration};

use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpListener, time};

use super::{
    demo::Demo,
    link::{self, LOOK_EVERY, unrepeated},
};
use crate::{
    caller::Caller,
    cli::Failure,
    config::Config,
    domain::{
        Domain, access,
        authorization::{self, Start},
        onboarding::{self, Absences, NewMapping, suggest},
        planning::user_mapping,
    },
    error::Result,
    ids::{IntegrationId, PhaseId},
    page::{MAX_SIZE, Page},
    provider::{asana::PROVIDER, deployment::ReturnUrl},
    sandbox::asana::{self, Asana, Client, Gid, Settings},
    store::{self, planning::user::Filter, practitioner::PractitionerFields},
    words::{AbsenceSource, IntegrationState, Plan},
};

const APP: &str = "stellwerk-dev";
/// How long a start waits for its webhooks.
const WEBHOOKS_WITHIN: Duration = Duration::from_secs(5);

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
    /// Starts the double with the office that was kept, or else a new one to play with, and says in the
    /// configuration where it is and who we are to it. `http` is where browsers come back to.
    pub(super) fn start(
        listener: TcpListener,
        http: SocketAddr,
        config: &mut Config,
    ) -> Result<Self, Failure> {
        let settings = Settings {
            // Other ids than those of an office that is gone: what is remembered of it must not meet new
            // ones.
            gid_offset: u64::try_from(Utc::now().timestamp() % 1_000_000_000).unwrap_or_default() * 1000,
            kept_in: Some(config.database.data_dir.join("sandbox/asana.json")),
            ..Settings::default()
        };
        let double = Asana::start_on(listener, settings).map_err(|error| Failure::refused(&error))?;
        let back = format!("http://{http}/api/auth/asana/callback");
        let client = double.client(APP).unwrap_or_else(|| Client::invented(APP, Vec::new()));
        let client = Client { redirect_uris: vec![back.clone()], ..client };
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
        let demo = match double.demo() {
            Some(demo) => {
                double.add_client(client);
                demo
            }
            None => open_office(&double, client)?,
        };
        Ok(Self { double, demo })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.double.url()
    }

    /// Links the demo tenant with it, all the way to webhooks, or goes on from where that ended.
    pub(super) async fn connect(&self, domain: &Domain, demo: &Demo) -> Result<Option<Planned>, Failure> {
        let caller = Caller::system(demo.tenant_id);
        let link = link::find(domain, &caller, PROVIDER, &self.admin().to_string()).await?;
        let id = match link {
            Some(link) if link.state == IntegrationState::Connected => link.id,
            broken => self.dance(domain, &caller, broken.map(|link| link.id)).await?,
        };
        let settings = onboarding::get(domain, &caller, id).await?.settings;
        let is_read = settings.is_some_and(|settings| settings.initial_sync_time.is_some());
        if is_read {
            link::catch_up(domain, &caller, id).await?;
        } else {
            self.begin(domain, &caller, id).await?;
        }
        if !link::has_run(domain, &caller, id).await? {
            return Ok(None);
        }
        if !is_read {
            introduce(domain, &caller, id).await?;
        }
        onboarding::activate_webhooks(domain, &caller, &unrepeated("ActivateWebhooks"), id, Utc::now())
            .await?;
        self.hears(domain, &caller, id).await?;
        Ok(self.planned(domain, demo, id).await?)
    }

    /// Whom the app is allowed by.
    fn admin(&self) -> Gid {
        self.demo.users.first().copied().unwrap_or_default()
    }

    /// Workspace, fields, first run.
    async fn begin(&self, domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<(), Failure> {
        let workspace = self.demo.workspace.to_string();
        let (choice, now) = ((workspace.as_str(), Some(Plan::Paid)), Utc::now());
        onboarding::select_workspace(domain, caller, &unrepeated("SelectWorkspace"), id, choice, now).await?;
        let mapping = suggested(domain, caller, id).await?;
        onboarding::save_mapping(domain, caller, &unrepeated("SaveFieldMapping"), id, mapping, Utc::now())
            .await?;
        let key = unrepeated("StartInitialSync");
        let run = onboarding::start_initial_sync(domain, caller, &key, id, Utc::now()).await;
        Ok(link::begun(run)?)
    }

    /// Waits for the webhooks of the workspace and of every project, so that no change at the board is
    /// missed; without them in time, the poll finds it.
    async fn hears(&self, domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<()> {
        let is_read = |gid: &&Gid| {
            self.double.project(**gid).is_some_and(|project| !project.is_trashed && !project.archived)
        };
        let projects = self.demo.projects.iter().filter(is_read).count();
        let deadline = time::Instant::now() + WEBHOOKS_WITHIN;
        while time::Instant::now() < deadline {
            if onboarding::get(domain, caller, id).await?.active_webhooks > projects {
                break;
            }
            time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// StartAuthorization, the consent page, the way back, CompleteAuthorization; of a new link, or again of
    /// one that is there.
    async fn dance(
        &self,
        domain: &Domain,
        caller: &Caller,
        link: Option<IntegrationId>,
    ) -> Result<IntegrationId, Failure> {
        let start = Start {
            provider: PROVIDER.into(),
            name: "Asana (sandbox)".into(),
            integration_id: link,
            return_url: format!("{}/", self.double.url()),
            ..Start::default()
        };
        let key = unrepeated("StartAuthorization");
        let started = authorization::start(domain, caller, &key, start, Utc::now()).await?;
        let home = self.double.person(self.admin()).allow(started.url.expose_secret()).await;
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
        let mut tasks = self.demo.tasks.iter().rev().filter_map(|gid| self.double.task(*gid));
        let Some(task) = tasks.find(|task| !task.is_trashed) else { return Ok(None) };
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

fn open_office(double: &Asana, client: Client) -> Result<asana::Demo, Failure> {
    let demo = double.add_demo(client).map_err(|error| Failure::failed(&error))?;
    double.keep().map_err(|error| Failure::refused(&error))?;
    Ok(demo)
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
    user_mapping::set(domain, caller, &key, one.user.id, Some(practitioner), now).await.map(drop)
}
