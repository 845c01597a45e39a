//! Tokens while the account is connected: fresh when they are needed, once for all who need them.

use futures::future::join_all;
use secrecy::ExposeSecret;
use stellwerk::{
    domain::{
        credential::{self, Bearer, BearerError},
        engine::schedule,
    },
    ids::{IntegrationId, TenantId},
    proto::{self, Integration, IntegrationState},
    sandbox::oauth::{Fault, OAuth},
};
use tonic::Code;

use crate::support::{
    PATIENCE,
    app::TestApp,
    oauth::{app, connect, double, settings},
    reason,
    tenant::TestTenant,
    wait_until,
};

/// A tenant whose Asana is a double with refresh tokens that work once.
struct Linked {
    app: TestApp,
    asana: OAuth,
    acme: TestTenant,
    integration: IntegrationId,
}

impl Linked {
    async fn new() -> Self {
        let asana = double("asana").await;
        let app = app("asana", &asana).start().await;
        let acme = app.tenant("acme").await;
        let made = connect(&app, &acme, "asana").await;
        Self { app, asana, acme, integration: made.integration_id.parse().unwrap() }
    }

    fn tenant(&self) -> TenantId {
        TenantId(self.acme.id)
    }

    async fn bearer(&self) -> Result<Bearer, BearerError> {
        credential::bearer(&self.app.domain, self.tenant(), self.integration).await
    }

    async fn refused(&self, used: &Bearer) -> Result<Bearer, BearerError> {
        credential::refused(&self.app.domain, self.tenant(), self.integration, used.used()).await
    }

    /// The token runs out in so many seconds.
    async fn age(&self, seconds: i32) {
        let due = format!(
            "UPDATE credential SET refresh_due_time = now() - interval '1 s', \
             expire_time = now() + make_interval(secs => {seconds}), update_time = now() - interval '1 h'"
        );
        self.app.database.owner().await.run(&due).await;
    }

    async fn shown(&self) -> Integration {
        let request = proto::GetIntegrationRequest { integration_id: self.integration.to_string() };
        let found = self.acme.admin.integrations().get_integration(request).await.unwrap().into_inner();
        found.integration.unwrap()
    }

    fn refreshes(&self) -> usize {
        self.asana.requests().iter().filter(|kind| *kind == "refresh_token").count()
    }

    async fn history(&self) -> Vec<String> {
        let lines = "SELECT event || ' ' || version || ' ' || coalesce(reason, '-') \
            FROM credential_history ORDER BY id";
        self.app.database.owner().await.lines(lines).await
    }
}

#[tokio::test]
async fn a_token_that_lasts_is_used_as_it_is() {
    let linked = Linked::new().await;

    let (first, second) = (linked.bearer().await.unwrap(), linked.bearer().await.unwrap());

    assert_eq!(first.secret.expose_secret(), second.secret.expose_secret());
    assert!(linked.asana.admits(first.secret.expose_secret()));
    assert_eq!(linked.refreshes(), 0);
}

/// Asana's trap 13.
#[tokio::test]
async fn a_token_is_replaced_ahead_of_its_expiry_and_the_new_refresh_token_kept() {
    let linked = Linked::new().await;

    for round in 1..=3 {
        linked.age(200).await;
        let bearer = linked.bearer().await.unwrap();
        assert!(linked.asana.admits(bearer.secret.expose_secret()));
        assert_eq!((linked.refreshes(), bearer.version), (round, 1 + round as i32));
    }

    assert_eq!(linked.history().await, ["given 1 -", "refreshed 2 -", "refreshed 3 -", "refreshed 4 -"]);
}

/// Asana's trap 13.
#[tokio::test]
async fn a_refresh_token_that_does_not_come_back_stays() {
    let google = double("google").await;
    let app = app("google", &google).start().await;
    let acme = app.tenant("acme").await;
    let made = connect(&app, &acme, "google").await;
    let request = proto::RefreshCredentialRequest { integration_id: made.integration_id };

    for _ in 0..2 {
        acme.admin.integrations().refresh_credential(request.clone()).await.unwrap();
    }

    assert_eq!(google.requests(), ["authorization_code", "refresh_token", "refresh_token"]);
}

/// Asana's trap 14. P14.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instances_that_race_for_a_single_use_token_make_one_refresh() {
    let linked = Linked::new().await;
    let settings = settings("asana", &linked.asana);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let other = linked.app.second_instance(&settings).await;
    linked.age(-10).await;

    let (tenant, integration) = (linked.tenant(), linked.integration);
    let racers = (0..16).map(|nth| {
        let domain = if nth % 2 == 0 { linked.app.domain.clone() } else { other.domain.clone() };
        tokio::spawn(async move { credential::bearer(&domain, tenant, integration).await })
    });
    let bearers: Vec<Bearer> = join_all(racers).await.into_iter().map(|one| one.unwrap().unwrap()).collect();

    assert_eq!(linked.refreshes(), 1);
    for bearer in &bearers {
        assert_eq!(bearer.secret.expose_secret(), bearers[0].secret.expose_secret());
    }
    assert!(linked.asana.admits(bearers[0].secret.expose_secret()));
    assert_eq!(linked.shown().await.state(), IntegrationState::Connected);
    other.stop().await;
}

#[tokio::test]
async fn a_lease_of_a_process_that_died_is_taken_over() {
    let linked = Linked::new().await;
    linked.age(-10).await;
    let owner = linked.app.database.owner().await;
    let lease = |span: &str| {
        format!(
            "UPDATE credential SET refresh_lease_id = gen_random_uuid(), \
             refresh_lease_until = now() + interval '{span}'"
        )
    };

    owner.run(&lease("-1 s")).await;

    assert_eq!(linked.bearer().await.unwrap().version, 2);
    // While somebody is at it, a token that still works is good enough.
    linked.age(100).await;
    owner.run(&lease("1 min")).await;
    assert_eq!(linked.bearer().await.unwrap().version, 2);
    assert_eq!(linked.refreshes(), 1);
}

/// A refresh token that works once is spent by then: what came back for it exists nowhere else.
#[tokio::test]
async fn a_token_that_the_database_fails_to_take_is_written_down_all_the_same() {
    let linked = Linked::new().await;
    linked.age(-10).await;
    let (blocker, owner) = (linked.app.database.owner().await, linked.app.database.owner().await);
    blocker.run("BEGIN; SELECT FROM integration FOR UPDATE").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
        AND datname = current_database()";

    let asked = linked.bearer();
    let fault = async {
        for _ in 0..2 {
            wait_until("a writer was cut off", PATIENCE, async || !owner.lines(cut).await.is_empty()).await;
        }
        blocker.run("ROLLBACK").await;
    };
    let (bearer, ()) = tokio::join!(asked, fault);

    assert_eq!(bearer.unwrap().version, 2);
    assert_eq!(linked.refreshes(), 1);
    linked.age(-10).await;
    assert_eq!(linked.bearer().await.unwrap().version, 3);
    assert_eq!(linked.shown().await.state(), IntegrationState::Connected);
}

#[tokio::test]
async fn after_a_refusal_there_is_one_fresh_token_and_then_no_more() {
    let linked = Linked::new().await;
    let first = linked.bearer().await.unwrap();
    linked.asana.forget_access();

    let second = linked.refused(&first).await.unwrap();
    let third = linked.refused(&first).await.unwrap();
    let last = linked.refused(&second).await;

    assert!(linked.asana.admits(second.secret.expose_secret()));
    assert_eq!(third.version, second.version);
    assert!(matches!(last, Err(BearerError::Missing)), "{last:?}");
    assert_eq!(linked.refreshes(), 1);
    let shown = linked.shown().await;
    assert_eq!(
        (shown.state(), shown.state_reason.as_str()),
        (IntegrationState::NeedsReconnect, "ACCESS_BLOCKED")
    );
}

#[tokio::test]
async fn a_grant_that_was_taken_back_needs_to_be_connected_again() {
    let linked = Linked::new().await;
    let bearer = linked.bearer().await.unwrap();
    linked.asana.forget_everybody();

    let refused = linked.refused(&bearer).await;

    assert!(matches!(refused, Err(BearerError::Missing)), "{refused:?}");
    let shown = linked.shown().await;
    assert_eq!(
        (shown.state(), shown.state_reason.as_str()),
        (IntegrationState::NeedsReconnect, "GRANT_REFUSED")
    );
    assert_eq!(linked.history().await, ["given 1 -", "refused 1 GRANT_REFUSED"]);
}

/// Asana's trap 15. The other one's token came between the question and the answer.
#[tokio::test]
async fn a_refused_refresh_token_means_nothing_when_another_one_is_here_by_then() {
    let linked = Linked::new().await;
    let stale = linked.bearer().await.unwrap();
    linked.age(200).await;
    let fresh = linked.bearer().await.unwrap();
    linked.asana.faults(&[Fault::Refusal("invalid_grant")]);

    let given = linked.refused(&stale).await.unwrap();

    assert_eq!(given.version, fresh.version);
    assert_eq!(linked.shown().await.state(), IntegrationState::Connected);
}

/// Asana's trap 15.
#[tokio::test]
async fn what_is_not_the_grants_fault_never_disconnects() {
    let linked = Linked::new().await;
    for fault in [
        Fault::Refusal("invalid_client"),
        Fault::Refusal("unauthorized_client"),
        Fault::Refusal("invalid_request"),
        Fault::Page(500),
        Fault::Page(503),
        Fault::Page(429),
        Fault::Page(200),
        Fault::Page(403),
    ] {
        linked.age(-10).await;
        linked.asana.faults(&[fault]);

        let failed = linked.bearer().await;

        assert!(matches!(failed, Err(BearerError::NotNow { .. })), "{fault:?}: {failed:?}");
        assert_eq!(linked.shown().await.state(), IntegrationState::Connected, "{fault:?}");
    }
    linked.asana.stop().await;
    let failed = linked.bearer().await;
    assert!(matches!(failed, Err(BearerError::NotNow { .. })), "{failed:?}");
    linked.asana.start_again().await.unwrap();

    assert_eq!(linked.bearer().await.unwrap().version, 2);
}

/// P12: nothing fails meanwhile, it only waits.
#[tokio::test]
async fn a_registration_that_is_refused_shows_until_a_token_comes() {
    let linked = Linked::new().await;
    let health = async || {
        let request = proto::GetIntegrationStatusRequest { integration_id: linked.integration.to_string() };
        let answer = linked.acme.admin.integrations().get_integration_status(request).await.unwrap();
        let status = answer.into_inner().status.unwrap();
        (status.health(), status.health_reason)
    };
    linked.age(-10).await;
    linked.asana.faults(&[Fault::Refusal("invalid_client")]);

    linked.bearer().await.unwrap_err();
    assert_eq!(health().await, (proto::IntegrationHealth::Failing, "CLIENT_REFUSED".into()));

    linked.bearer().await.unwrap();
    assert_eq!(health().await.0, proto::IntegrationHealth::Healthy);
}

#[tokio::test]
async fn a_token_that_still_works_is_used_while_the_provider_gives_no_other() {
    let linked = Linked::new().await;
    linked.age(200).await;
    linked.asana.faults(&[Fault::Page(503)]);

    let bearer = linked.bearer().await.unwrap();

    assert_eq!(bearer.version, 1);
    assert!(linked.asana.admits(bearer.secret.expose_secret()));
}

#[tokio::test]
async fn the_schedule_looks_at_every_grant_once() {
    let linked = Linked::new().await;
    let (mut seen, mut others) = (schedule::Seen::default(), schedule::Seen::default());
    let now = chrono::Utc::now();

    schedule::run(&linked.app.domain, &mut seen, now).await;
    schedule::run(&linked.app.domain, &mut others, now).await;
    let owner = linked.app.database.owner().await;
    let left = "SELECT count(*) FROM outbox WHERE kind = 'credential_refresh' AND state = 'pending'";
    wait_until("every refresh has ended", PATIENCE, async || owner.value(left).await == "0").await;

    assert_eq!(linked.refreshes(), 1);
    assert_eq!(linked.history().await, ["given 1 -", "refreshed 2 -"]);
    let cause = "SELECT cause FROM credential_history WHERE version = 2";
    assert_eq!(owner.value(cause).await, "schedule/refresh-asana-tokens");
}

#[tokio::test]
async fn an_api_key_cannot_be_refreshed_and_a_lost_grant_says_so() {
    let linked = Linked::new().await;
    let request = proto::RefreshCredentialRequest { integration_id: linked.integration.to_string() };
    linked.asana.forget_everybody();

    let lost = linked.acme.admin.integrations().refresh_credential(request.clone()).await.unwrap_err();
    linked.app.database.owner().await.run("DELETE FROM credential").await;
    let gone = linked.acme.admin.integrations().refresh_credential(request).await.unwrap_err();

    assert_eq!((lost.code(), reason(&lost)), (Code::FailedPrecondition, "INTEGRATION_STATE".into()));
    assert_eq!((gone.code(), reason(&gone)), (Code::FailedPrecondition, "CREDENTIAL_NOT_REFRESHABLE".into()));
}

/// P10.
#[tokio::test]
async fn a_sealed_grant_opens_in_no_other_row_and_for_no_other_tenant() {
    let linked = Linked::new().await;
    let globex = linked.app.tenant("globex").await;
    linked.asana.account("1202", "Max Beispiel");
    let theirs = connect(&linked.app, &globex, "asana").await;
    let owner = linked.app.database.owner().await;

    owner
        .run(&format!(
            "UPDATE credential SET sealed_secret = \
         (SELECT sealed_secret FROM credential WHERE integration_id = '{}') \
         WHERE integration_id = '{}'",
            linked.integration, theirs.integration_id
        ))
        .await;

    let of_globex: IntegrationId = theirs.integration_id.parse().unwrap();
    let opened = credential::bearer(&linked.app.domain, TenantId(globex.id), of_globex).await;
    assert!(matches!(opened, Err(BearerError::Own(_))), "{opened:?}");
    owner.run("UPDATE credential SET id = gen_random_uuid()").await;
    let moved = linked.bearer().await;
    assert!(matches!(moved, Err(BearerError::Own(_))), "{moved:?}");
}
