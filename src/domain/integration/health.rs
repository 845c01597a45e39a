//! How an integration fares, in a word: what a person who looks at a list of them needs first.

use chrono::TimeDelta;

use super::Status;
use crate::{
    domain::{
        consent,
        credential::{CLIENT_NOT_CONFIGURED, CLIENT_REFUSED},
    },
    store::{planning::project, subscription::Subscription},
    words::{Breaker, IntegrationState, SubscriptionState},
};

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Healthy,
    /// It works, but something needs a look.
    Degraded,
    /// It does not work, or was ended.
    Failing,
    NeedsReconnect,
}

/// So many failed runs in a row are no accident.
const FAILED_RUNS: i64 = 3;

/// Asana sends a sign of life every eight hours, whatever happens (asana.md §6.4).
const SILENT_AFTER: TimeDelta = TimeDelta::hours(9);

/// How it fares, and the code of why it is not healthy; of several the gravest.
pub fn health(status: &Status) -> (Health, Option<String>) {
    let failing = |reason: &str| (Health::Failing, Some(reason.to_owned()));
    match status.integration.state {
        IntegrationState::NeedsReconnect => {
            return (Health::NeedsReconnect, status.integration.state_reason.clone());
        }
        IntegrationState::Disconnecting | IntegrationState::Disconnected => {
            return failing("INTEGRATION_DISCONNECTED");
        }
        IntegrationState::Connected => {}
    }
    if let Some(reason) = &status.integration.state_reason {
        return failing(reason);
    }
    // Nothing is asked, so that nothing of what follows is news.
    if !status.may_flow {
        return (Health::Degraded, Some(consent::MISSING.into()));
    }
    if status.flow.as_ref().is_some_and(|flow| flow.breaker == Breaker::Open) {
        return failing("PROVIDER_OUT");
    }
    if status.runs.consecutive_errors >= FAILED_RUNS {
        return failing("RUNS_FAILING");
    }
    match lack(status) {
        Some(reason) => (Health::Degraded, Some(reason.to_owned())),
        None => (Health::Healthy, None),
    }
}

/// What a person does about a reason that [`health`] gives; empty where there is nothing but to wait.
pub fn advice(status: &Status, reason: &str) -> &'static str {
    let left = status.integration.state_reason.as_deref();
    match (reason, left) {
        ("INTEGRATION_DISCONNECTED", Some("GRANT_LEFT" | "WEBHOOKS_LEFT")) => {
            "Take this program off the connected apps in the account's settings at the provider."
        }
        ("INTEGRATION_DISCONNECTED", _) => "Connect the account again if data are to flow.",
        (consent::MISSING, _) => "Grant a consent for this integration: what waits for it goes on by itself.",
        (project::AREA_FIELD_LOST | project::HOURS_FIELD_LOST, _) => {
            "Choose the fields anew and read everything again, or add the field to its projects again."
        }
        (CLIENT_REFUSED | CLIENT_NOT_CONFIGURED, _) => {
            "Set the client id and the secret that this program has at the provider right; \
             what waits for it goes on by itself."
        }
        ("RUNS_FAILING" | "LAST_RUN_FAILED", _) => "Look at the reason of the newest run, and begin another.",
        ("DEAD_LETTERS", _) => "Look at what was given up, and requeue it.",
        ("REVIEW_NEEDED", _) => "Decide the review items that are open.",
        ("WEBHOOKS_FAILED", _) => "Look at the reason of each webhook, and activate webhooks again.",
        ("WEBHOOKS_FAILING", _) => {
            "See that the provider reaches this server: what its webhooks do not tell is found by the next poll."
        }
        ("ABSENCES_UNAVAILABLE" | "TIME_ENTRIES_UNAVAILABLE", _) => {
            "See that the account's plan at the provider includes them, and that the account may see them."
        }
        ("INBOUND_PAUSED" | "OUTBOUND_PAUSED", _) => "End the pause if data are to flow.",
        ("PROVIDER_OUT" | "", _) => "",
        _ => "Connect the account again.",
    }
}

/// What needs a look.
fn lack(status: &Status) -> Option<&'static str> {
    let planning = status.planning.as_ref().map(|planning| &planning.health);
    let is_failed = |state: SubscriptionState| state == SubscriptionState::Failed;
    let lost_field = status.planning.as_ref().and_then(|planning| planning.lost_field);
    let lacks = [
        (lost_field.is_some(), lost_field.unwrap_or_default()),
        (status.runs.consecutive_errors > 0, "LAST_RUN_FAILED"),
        (status.waiting.dead_letters > 0, "DEAD_LETTERS"),
        (status.waiting.open_reviews > 0, "REVIEW_NEEDED"),
        (status.subscriptions.iter().any(|one| is_failed(one.state)), "WEBHOOKS_FAILED"),
        (status.subscriptions.iter().any(is_failing), "WEBHOOKS_FAILING"),
        (planning.is_some_and(|health| health.absences_reason.is_some()), "ABSENCES_UNAVAILABLE"),
        (planning.is_some_and(|health| health.time_entries_reason.is_some()), "TIME_ENTRIES_UNAVAILABLE"),
        (status.integration.inbound_paused, "INBOUND_PAUSED"),
        (status.integration.outbound_paused, "OUTBOUND_PAUSED"),
    ];
    lacks.into_iter().find(|(is_so, _)| *is_so).map(|(_, reason)| reason)
}

/// The provider is about to give it up, or had not delivered for too long when it was asked.
fn is_failing(subscription: &Subscription) -> bool {
    let delivered = subscription.provider_success_time.zip(subscription.check_time);
    subscription.state == SubscriptionState::Active
        && (subscription.provider_removal_time.is_some()
            || delivered.is_some_and(|(delivered, checked)| checked - delivered > SILENT_AFTER))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::{
        ids::{IntegrationId, WebhookEndpointId},
        store::{
            integration::Integration,
            integration_health::{Ages, Runs, Waiting},
        },
    };

    fn status() -> Status {
        let runs = Runs {
            total: 9,
            successful: 9,
            failed: 0,
            consecutive_errors: 0,
            average_duration_s: None,
            last_success_time: None,
        };
        Status {
            integration: Integration::new(IntegrationId::new(), "asana", "Planning", Utc::now()),
            may_flow: true,
            runs,
            ages: Ages { last_s: None, p95_s: None, changes: 0 },
            waiting: Waiting { messages: 0, oldest_age_s: None, dead_letters: 0, open_reviews: 0 },
            last_delivery_time: None,
            reconciled_time: None,
            deliveries: std::collections::HashMap::new(),
            subscriptions: Vec::new(),
            event_types: Vec::new(),
            flow: None,
            newest_run: None,
            credential_expire_time: None,
            planning: None,
        }
    }

    fn after(change: impl FnOnce(&mut Status)) -> (Health, Option<String>) {
        let mut status = status();
        change(&mut status);
        health(&status)
    }

    #[test]
    fn what_works_is_healthy_and_needs_no_reason() {
        assert_eq!(after(|_| ()), (Health::Healthy, None));
    }

    #[test]
    fn one_failed_run_is_a_blemish_and_three_in_a_row_are_a_failure() {
        let failed = |runs| after(|status| status.runs.consecutive_errors = runs);

        assert_eq!(failed(1), (Health::Degraded, Some("LAST_RUN_FAILED".into())));
        assert_eq!(failed(3), (Health::Failing, Some("RUNS_FAILING".into())));
    }

    #[test]
    fn a_refused_credential_is_graver_than_all_else() {
        let refused = after(|status| {
            status.integration.state = IntegrationState::NeedsReconnect;
            status.integration.state_reason = Some("CREDENTIAL_REFUSED".into());
            status.runs.consecutive_errors = 9;
        });

        assert_eq!(refused, (Health::NeedsReconnect, Some("CREDENTIAL_REFUSED".into())));
    }

    #[test]
    fn a_registration_that_the_provider_refuses_is_ours_to_mend() {
        let mut refused = status();
        refused.integration.state_reason = Some("CLIENT_REFUSED".into());

        assert_eq!(health(&refused), (Health::Failing, Some("CLIENT_REFUSED".into())));
        assert!(advice(&refused, "CLIENT_REFUSED").contains("client id"));
    }

    #[test]
    fn a_webhook_that_the_provider_gives_up_or_that_fell_silent_needs_a_look() {
        let now = Utc::now();
        let told = |success_hours, removal| {
            after(|status| {
                let row = Subscription::new(
                    status.integration.id,
                    WebhookEndpointId::new(),
                    "project/1".into(),
                    now,
                );
                status.subscriptions.push(Subscription {
                    state: SubscriptionState::Active,
                    check_time: Some(now),
                    provider_success_time: Some(now - TimeDelta::hours(success_hours)),
                    provider_removal_time: removal,
                    ..row
                });
            })
        };
        let failing = (Health::Degraded, Some("WEBHOOKS_FAILING".into()));

        assert_eq!(told(8, None), (Health::Healthy, None));
        assert_eq!((told(10, None), told(1, Some(now))), (failing.clone(), failing));
    }

    #[test]
    fn a_missing_consent_explains_everything_that_fails_for_it() {
        let mut lacking = status();
        (lacking.may_flow, lacking.runs.consecutive_errors) = (false, 9);

        assert_eq!(health(&lacking), (Health::Degraded, Some("CONSENT_MISSING".into())));
        assert!(advice(&lacking, "CONSENT_MISSING").starts_with("Grant a consent"));
    }

    #[test]
    fn what_a_provider_could_not_be_told_is_left_to_a_person() {
        let mut ended = status();
        ended.integration.state = IntegrationState::Disconnected;
        let plain = advice(&ended, "INTEGRATION_DISCONNECTED");
        ended.integration.state_reason = Some("GRANT_LEFT".into());

        assert!(plain.starts_with("Connect the account again"));
        assert!(advice(&ended, "INTEGRATION_DISCONNECTED").contains("connected apps"));
    }

    #[test]
    fn what_waits_for_a_person_needs_a_look() {
        let waiting = after(|status| status.waiting.open_reviews = 1);

        assert_eq!(waiting, (Health::Degraded, Some("REVIEW_NEEDED".into())));
    }
}
