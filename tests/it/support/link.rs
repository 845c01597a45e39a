//! A tenant that links an account of a Cal.com double by the verbs themselves, and what it sees of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Berlin;
use stellwerk::{
    caller::Caller,
    domain::{
        Domain,
        engine::{reconcile, subscription},
        idempotency::Key,
        integration::{self, Changes, NewIntegration, Status},
        sync_log,
    },
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId, TenantId},
    page::Page,
    sandbox::calcom::{Booking, Calcom, EventTypeOptions, NewBooking, Operation, User, Webhook},
    store::{self, TenantTx, integration::Integration, sync_log::SyncLog},
    words::{IntegrationState, Origin, Role, SyncState},
};

use super::{PATIENCE, app::TestApp, calcom::no_key, database::Session, tenant::TestTenant, wait_until};

/// What the double's requests would cost in an hour: nothing waits for a budget unless a test asks for it.
const REQUESTS_PER_MINUTE: u32 = 60_000;

/// A tenant, a host with one visit of 30 minutes, and the link between them once it is made.
pub(crate) struct Linked {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) calcom: Calcom,
    pub(crate) host: User,
    /// A visit of 30 minutes.
    pub(crate) event_type: i64,
    pub(crate) integration: IntegrationId,
    pub(crate) owner: Session,
}

impl Linked {
    /// A host of the double whom nobody has linked yet.
    pub(crate) async fn prepare(app: &TestApp, tenant: &TestTenant, calcom: &Calcom) -> Self {
        let host = calcom.add_user("Mara Vogt", "mara.vogt@example.com", Berlin);
        let options = EventTypeOptions::default();
        let event_type = calcom.add_event_type(host.id, "visit", "Visit", 30, options).expect("a visit");
        Self {
            domain: app.domain.clone(),
            tenant: TenantId(tenant.id),
            calcom: calcom.clone(),
            host,
            event_type,
            integration: IntegrationId::new(),
            owner: app.database.owner().await,
        }
    }

    /// The same, linked, and its first run at its end.
    pub(crate) async fn new(app: &TestApp, tenant: &TestTenant, calcom: &Calcom) -> Self {
        let mut linked = Self::prepare(app, tenant, calcom).await;
        linked.link().await;
        linked.idle().await;
        linked
    }

    pub(crate) async fn link(&mut self) -> Integration {
        let row = self.try_link(self.wish()).await.expect("linked");
        self.integration = row.id;
        row
    }

    pub(crate) async fn try_link(&self, new: NewIntegration) -> Result<Integration> {
        integration::create(&self.domain, &self.admin(), &no_key(), new, Utc::now()).await
    }

    /// The host's account.
    pub(crate) fn wish(&self) -> NewIntegration {
        NewIntegration {
            provider: "calcom".into(),
            name: "Calendar".into(),
            api_key: self.host.api_key.as_str().into(),
            instance_url: Some(format!("{}/v2", self.calcom.url())),
            requests_per_minute: Some(REQUESTS_PER_MINUTE),
            read_only: false,
        }
    }

    pub(crate) fn admin(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }

    pub(crate) async fn integration(&self) -> Integration {
        integration::get(&self.domain, &self.admin(), self.integration).await.expect("an integration")
    }

    pub(crate) async fn state(&self) -> IntegrationState {
        self.integration().await.state
    }

    pub(crate) async fn change(&self, changes: Changes) -> Result<Integration> {
        let (domain, admin) = (&self.domain, self.admin());
        integration::update(domain, &admin, &no_key(), self.integration, changes, Utc::now()).await
    }

    pub(crate) async fn status(&self) -> Status {
        let (domain, admin) = (&self.domain, self.admin());
        integration::status(domain, &admin, self.integration, Utc::now()).await.expect("a status")
    }

    pub(crate) async fn disconnect(&self) -> Integration {
        let (domain, admin) = (&self.domain, self.admin());
        integration::disconnect(domain, &admin, &no_key(), self.integration, Utc::now()).await.expect("begun")
    }

    pub(crate) async fn start(&self, key: &Key) -> Result<SyncLog> {
        sync_log::start(&self.domain, &self.admin(), key, self.integration, Utc::now()).await
    }

    /// A run of everything to its end.
    pub(crate) async fn sync(&self) -> SyncLog {
        let run = self.start(&no_key()).await.expect("begun");
        self.ended(run.id).await
    }

    pub(crate) async fn run(&self, id: SyncLogId) -> SyncLog {
        sync_log::get(&self.domain, &self.admin(), id).await.expect("a run")
    }

    pub(crate) async fn ended(&self, id: SyncLogId) -> SyncLog {
        wait_until("the run has ended", PATIENCE, async || self.run(id).await.end_time.is_some()).await;
        self.run(id).await
    }

    /// All runs, oldest first.
    pub(crate) async fn runs(&self) -> Vec<SyncLog> {
        let page = Page { size: 200, after: None };
        let filter = store::sync_log::Filter { integration: Some(self.integration), ..Default::default() };
        let mut runs = sync_log::list(&self.domain, &self.admin(), &filter, &page).await.expect("runs").rows;
        runs.reverse();
        runs
    }

    /// The run that linking began.
    pub(crate) async fn first_run(&self) -> SyncLog {
        self.runs().await.remove(0)
    }

    /// Looks for what no webhook told.
    pub(crate) async fn reconcile(&self) {
        let mut tx = self.tx().await;
        reconcile::queue(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
        self.idle().await;
    }

    /// Compares all that is to come.
    pub(crate) async fn sweep(&self) {
        let mut tx = self.tx().await;
        reconcile::queue_sweep(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
        self.idle().await;
    }

    pub(crate) async fn check_subscriptions(&self) {
        self.queue_check().await;
        self.idle().await;
    }

    pub(crate) async fn queue_check(&self) {
        let mut tx = self.tx().await;
        subscription::queue(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
    }

    /// How many bookings the runs found that nobody had told.
    pub(crate) async fn repaired(&self) -> u64 {
        let runs = self.runs().await;
        runs.iter().filter_map(|run| run.counts["bookings"]["repaired"].as_u64()).sum()
    }

    /// Waits until nothing of the tenant's waits. Panics when something was given up.
    pub(crate) async fn idle(&self) {
        let count = |state: &str| {
            format!("SELECT count(*) FROM outbox WHERE tenant_id = '{}' AND state = '{state}'", self.tenant)
        };
        let is_idle = async || self.owner.value(&count("pending")).await == "0";
        wait_until("nothing of the tenant's waits", PATIENCE, is_idle).await;
        assert_eq!(self.owner.value(&count("dead")).await, "0");
    }

    pub(crate) async fn book_there(&self, start: DateTime<Utc>) -> Booking {
        let wish = NewBooking::new(self.event_type, start, "Erika Muster", "erika@example.org");
        self.calcom.book_as_attendee(wish).await.expect("booked")
    }

    /// The tenant's appointments as `status start`, by start.
    pub(crate) async fn appointments(&self) -> Vec<String> {
        let sql = format!(
            "SELECT status || ' ' || to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') \
             FROM appointment \
             WHERE tenant_id = '{}' ORDER BY start_time, id",
            self.tenant
        );
        self.owner.lines(&sql).await
    }

    /// Lines of this tenant's rows; `tail` follows the tenant's condition.
    pub(crate) async fn lines(&self, columns: &str, tail: &str) -> Vec<String> {
        let (from, rest) = tail.split_once(' ').unwrap_or((tail, ""));
        let sql = format!("SELECT {columns} FROM {from} WHERE {from}.tenant_id = '{}' {rest}", self.tenant);
        self.owner.lines(&sql).await
    }

    /// The double's webhooks of an event type.
    pub(crate) fn webhooks_of(&self, event_type: i64) -> Vec<Webhook> {
        let of =
            |webhook: &Webhook| webhook.scope == stellwerk::sandbox::calcom::Scope::EventType(event_type);
        self.calcom.webhooks().into_iter().filter(of).collect()
    }

    /// How often this was asked.
    pub(crate) fn asked(&self, operation: Operation) -> usize {
        self.calcom.requests().iter().filter(|request| request.operation == Some(operation)).count()
    }

    pub(crate) async fn until(&self, state: IntegrationState) {
        wait_until(&format!("the integration is {state}"), PATIENCE, async || self.state().await == state)
            .await;
    }

    pub(crate) async fn tx(&self) -> TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }
}

/// As `status start` of [`Linked::appointments`].
pub(crate) fn line(status: &str, start: DateTime<Utc>) -> String {
    format!("{status} {}", start.format("%Y-%m-%d %H:%M"))
}

pub(crate) fn key(text: &str) -> Key {
    Key::new("Test", text, b"")
}

/// The field that a refusal complains of.
pub(crate) fn field(refused: Result<Integration>) -> String {
    match refused {
        Err(Error::Invalid(violations)) => violations[0].field.clone(),
        other => panic!("not a refusal of a field: {other:?}"),
    }
}

/// Waits until the run is in this state.
pub(crate) async fn until_run_is(linked: &Linked, id: SyncLogId, state: SyncState, deadline: Duration) {
    wait_until(&format!("the run is {state}"), deadline, async || linked.run(id).await.state == state).await;
}
