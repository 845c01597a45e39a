//! P12, P15. Whoever wants to know hears that something is wrong, once, with what to do; and that it is over.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use stellwerk::{
    app,
    caller::Caller,
    domain::{
        Domain,
        alert::{self, NewDestination, Thresholds},
        idempotency::Key,
    },
    egress::{Egress, EgressConfig},
    error::{Error, Result},
    ids::{AlertDestinationId, IntegrationId, TenantId},
    page::Page,
    store::{
        alert::{Alert, Filter},
        alert_destination::AlertDestination,
        outbox::{self, Outcome},
    },
    vault::Vault,
    words::{AlertDestinationKind, AlertRule, AlertState, RefusalCode, Role},
};

use crate::support::{
    database::{Session, TestDatabase},
    receiver::Receiver,
};

mod deliveries;
mod destinations;
mod given_up;
mod quarantine;
mod rules;

/// A tenant whose rules nobody looks at but the test, at times of its choice.
struct Watched {
    _database: TestDatabase,
    owner: Session,
    domain: Domain,
    tenant: TenantId,
    /// One that is read at its provider.
    integration: IntegrationId,
    begin: DateTime<Utc>,
}

impl Watched {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let owner = database.owner().await;
        let root_keys = Vault::generate_root_key("test").expect("randomness").into();
        let domain = app::domain(database.service_url(), &Default::default(), &root_keys, String::new());
        // The receivers are on loopback.
        let allow_private = vec!["127.0.0.0/8".parse().expect("a network")];
        let egress = Egress::new(EgressConfig { allow_private, ..EgressConfig::default() });
        let domain = Domain { egress: Arc::new(egress.expect("a client")), ..domain.expect("a domain") };
        let (tenant, integration) = (TenantId::new(), IntegrationId::new());
        owner
            .run(&format!(
                "INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster'); \
                 INSERT INTO integration (tenant_id, id, provider, name, instance_url, account_name) \
                 VALUES ('{tenant}', '{integration}', 'calcom', 'Calendar', \
                 'https://calendar.example.org/v2', 'erika')"
            ))
            .await;
        Self { _database: database, owner, domain, tenant, integration, begin: Utc::now() }
    }

    fn admin(&self) -> Caller {
        Caller { role: Role::Admin, subject: "api_key|desk".into(), ..Caller::system(self.tenant) }
    }

    /// Looks at the rules so many minutes after the begin.
    async fn look(&self, minute: i64) {
        let now = self.begin + TimeDelta::minutes(minute);
        alert::check(&self.domain, self.tenant, &Thresholds::default(), now).await.unwrap();
    }

    /// The alerts, oldest first.
    async fn alerts(&self) -> Vec<Alert> {
        let page = Page { size: 200, after: None };
        let paged = alert::list(&self.domain, &self.admin(), &Filter::default(), &page).await.unwrap();
        paged.rows.into_iter().rev().collect()
    }

    /// What stands, and since what value.
    async fn told(&self) -> Vec<(AlertRule, AlertState, f64)> {
        self.alerts().await.into_iter().map(|alert| (alert.rule, alert.state, alert.value)).collect()
    }

    /// So many items that wait for a person.
    async fn open_items(&self, count: usize) {
        self.owner
            .run(&format!(
                "INSERT INTO review_item (tenant_id, id, kind, reason, open_time) \
                 SELECT '{}', stellwerk_uuid_floor(now() - interval '2 days' + n * interval '1 s'), \
                 'unmatched', \
                 'SERVICE_UNKNOWN', now() - interval '2 days' FROM generate_series(1, {count}) n",
                self.tenant
            ))
            .await;
    }

    async fn close_items(&self) {
        self.owner
            .run("UPDATE review_item SET state = 'resolved', resolution = 'dismiss', resolve_time = now()")
            .await;
    }

    async fn put(&self, kind: AlertDestinationKind, url: &str, headers: &[(&str, &str)]) -> AlertDestination {
        self.try_put(None, &destination(kind, url, headers)).await.unwrap()
    }

    async fn try_put(
        &self,
        id: Option<AlertDestinationId>,
        new: &NewDestination,
    ) -> Result<AlertDestination> {
        alert::put(&self.domain, &self.admin(), &no_key(), id, new, self.begin).await
    }

    async fn destination(&self, id: AlertDestinationId) -> AlertDestination {
        let page = Page { size: 50, after: None };
        let all = alert::list_destinations(&self.domain, &self.admin(), &page).await.unwrap();
        all.rows.into_iter().find(|row| row.id == id).expect("a destination")
    }

    /// Delivers what is due, so many minutes after the begin; returns what became of each.
    async fn deliver(&self, minute: i64) -> Vec<Outcome> {
        let now = self.begin + TimeDelta::minutes(minute);
        let due = format!(
            "UPDATE outbox SET run_time = now() - interval '1 s' WHERE NOT is_leased AND run_time <= '{now}'"
        );
        let mut outcomes = Vec::new();
        loop {
            self.owner.run(&due).await;
            let claims = outbox::claim(&self.domain.store, TenantId::HOUSE, 1, 60, None).await.unwrap();
            let Some(claimed) = claims.messages.first() else { return outcomes };
            let mut tx = self.domain.store.tenant(self.tenant).await.unwrap();
            let payload = outbox::payload(&mut tx, claimed).await.unwrap().unwrap();
            tx.end_reading();
            let outcome = alert::deliver(&self.domain, claimed, &payload, now).await.unwrap();
            outbox::settle(&self.domain.store, claimed, &outcome).await.unwrap();
            let again = matches!(outcome, Outcome::Done | Outcome::Dead { .. });
            outcomes.push(outcome);
            if !again {
                return outcomes;
            }
        }
    }
}

fn destination(kind: AlertDestinationKind, url: &str, headers: &[(&str, &str)]) -> NewDestination {
    NewDestination {
        kind,
        name: "Desk".into(),
        url: url.into(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), SecretString::from(*value))).collect(),
        disabled: false,
    }
}

fn no_key() -> Key {
    Key::new("PutAlertDestination", "", b"")
}
